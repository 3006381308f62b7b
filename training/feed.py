"""From a batch of the loader to the inputs of a loss cell, on the device."""

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor

from models.ground_truth import GroundTruth
from training.frozen_features import FrozenFeatures


def send(array: Tensor) -> Tensor:
    """The array on the device, without waiting for it: MindSpore itself waits twice for each input of a graph.

    Keep the array until the device has computed with it.
    """
    target = ms.get_context("device_target")
    return array if target == "CPU" else array.move_to(target, blocking=False)


class BatchFeed:
    """Turns a batch into the inputs of a loss cell, adding the ground-truth mesh where it is wanted.

    features: stands for the images where the CNet is frozen. genders: whose body models the meshes need, as the
    data set says, called where there are meshes.
    """

    PARAMETERS = ("pose", "betas", "gender")
    COMPUTED = ("gt_vertices", "gt_uv_map")

    def __init__(
        self,
        loss_cell,
        options,
        features: FrozenFeatures | None = None,
        genders: Callable[[], tuple[int, ...]] = tuple,
    ):
        self.input_names = loss_cell.input_names
        self.sent: dict[str, Tensor] = {}  # kept until the next batch
        self.needs_mesh = bool(set(self.COMPUTED) & set(self.input_names))
        self.columns = [name for name in self.input_names if name not in self.COMPUTED]
        self.columns += self.PARAMETERS if self.needs_mesh else ()
        self.on_device = tuple(self.columns)
        self.columns += features.COLUMNS if features else ()
        self.features = features
        if self.needs_mesh:
            self.ground_truth = GroundTruth(options.uv_res, options.uv_type, genders())

    @property
    def cells(self) -> list:
        """What it computes with, in the order of their first call."""
        found = [self.ground_truth] if self.needs_mesh else []
        return [*found, self.features.cnet] if self.features else found

    def __call__(self, batch: dict) -> list:
        self.sent = {name: batch[name] for name in self.on_device}
        batch = batch | {name: send(array) for name, array in self.sent.items()}
        if self.needs_mesh:
            computed = self.ground_truth(*(batch[name] for name in self.PARAMETERS))
            batch = batch | dict(zip(self.COMPUTED, computed, strict=True))
        batch = batch | {"img": self.network_input(batch)}
        return [batch[name] for name in self.input_names]

    def network_input(self, batch: dict):
        """What the loss cell's network takes: images, or the outputs of a frozen CNet."""
        return self.features(batch) if self.features else batch["img"]
