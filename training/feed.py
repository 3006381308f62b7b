"""From a batch of the loader to the inputs of a loss cell."""

from models.ground_truth import GroundTruth


class BatchFeed:
    """Turns a batch into the inputs of a loss cell, adding the ground-truth mesh where it is wanted."""

    PARAMETERS = ("pose", "betas", "gender")
    COMPUTED = ("gt_vertices", "gt_uv_map")

    def __init__(self, loss_cell, options):
        self.input_names = loss_cell.input_names
        self.needs_mesh = bool(set(self.COMPUTED) & set(self.input_names))
        self.columns = [name for name in self.input_names if name not in self.COMPUTED]
        self.columns += self.PARAMETERS if self.needs_mesh else ()
        if self.needs_mesh:
            self.ground_truth = GroundTruth(options.uv_res, options.uv_type, options.dataset == "surreal")

    def __call__(self, batch: dict) -> list:
        if self.needs_mesh:
            computed = self.ground_truth(*(batch[name] for name in self.PARAMETERS))
            batch = batch | dict(zip(self.COMPUTED, computed, strict=True))
        return [batch[name] for name in self.input_names]
