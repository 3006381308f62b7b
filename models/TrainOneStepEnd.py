"""The training step of stage `end`."""

from models.training_step import TrainingStep


class TrainOneStepEnd(TrainingStep):
    """The columns of WithLossCellEnd.input_names -> (total, *terms), after one update of CNet and LNet."""
