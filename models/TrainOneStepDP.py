"""The training step of stage `dp`."""

from models.training_step import TrainingStep


class TrainOneStepDP(TrainingStep):
    """(img, gt_iuv, has_dp) -> (total, *terms) of WithLossCellDP, after one update of the CNet."""
