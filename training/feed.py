"""From a batch of the loader to the inputs of a loss cell, on the device."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from models.distributed import current_world_size
from models.ground_truth import GroundTruth
from utils.memory import available_memory

MEMORY_SHARE = 1 / 4  # of the memory that is available at the start, for the kept outputs of all ranks together


def send(array: Tensor) -> Tensor:
    """The array on the device, without waiting for it; MindSpore itself would wait twice for each input of a graph.

    Keep the array until the device has computed with it.
    """
    target = ms.get_context("device_target")
    return array if target == "CPU" else array.move_to(target, blocking=False)


class FrozenFeatures:
    """--freeze_cnet: computes the outputs of a CNet that does not learn, outside the training step.

    reuse: keep the outputs of each sample, in up to MEMORY_SHARE of the memory. Right without augmentation only,
    where a sample is the same in every epoch.
    """

    COLUMNS = ("imgname", "center", "scale")  # tell one sample from another

    def __init__(self, cnet: nn.Cell, reuse: bool):
        self.cnet, self.reuse = cnet, reuse
        self.known: dict[tuple, list[np.ndarray]] = {}
        # all ranks may be on this machine
        self.size, self.limit = 0, MEMORY_SHARE * available_memory() / current_world_size()

    def __call__(self, batch: dict) -> tuple[Tensor, ...]:
        """The batch's (dp_out, features, codes) of the CNet.

        The tuple is mutable: GRAPH mode would take a plain one for a constant and compile every step anew.
        """
        keys = self._keys(batch) if self.reuse else ()
        if keys and all(key in self.known for key in keys):
            rows = [self.known[key] for key in keys]
            return ms.mutable(tuple(Tensor(np.stack(arrays)) for arrays in zip(*rows, strict=True)))
        self.cnet.set_train(False)
        outputs = self.cnet(batch["img"])
        if keys and self.size < self.limit:
            self._keep(keys, [output.asnumpy() for output in outputs])
        return ms.mutable(tuple(outputs))

    @staticmethod
    def _keys(batch: dict) -> list[tuple]:
        centers, scales = batch["center"].asnumpy(), batch["scale"].asnumpy()
        return [
            (name, *map(float, center), float(scale))
            for name, center, scale in zip(batch["imgname"], centers, scales, strict=True)
        ]

    def _keep(self, keys: list[tuple], arrays: list[np.ndarray]) -> None:
        for key, *row in zip(keys, *arrays, strict=True):
            if key not in self.known:
                self.known[key] = row
                self.size += sum(array.nbytes for array in row)


class BatchFeed:
    """Turns a batch into the inputs of a loss cell; adds the true mesh and location map where the cell asks for them.

    features: with a frozen CNet, its outputs take the place of the images. genders: called where there are meshes;
    gives the genders whose body models the data set needs.
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
        self.sent: dict[str, Tensor] = {}  # kept until the next batch, see `send`
        self.needs_mesh = bool(set(self.COMPUTED) & set(self.input_names))
        self.columns = [name for name in self.input_names if name not in self.COMPUTED]  # to ask the loader for
        self.columns += self.PARAMETERS if self.needs_mesh else ()
        self.on_device = tuple(self.columns)
        self.columns += features.COLUMNS if features else ()
        self.features = features
        if self.needs_mesh:
            self.ground_truth = GroundTruth(options.uv_res, options.uv_type, genders())

    def __call__(self, batch: dict) -> list:
        """The inputs, in the order of the loss cell's `input_names`."""
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
