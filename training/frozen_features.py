"""--freeze_cnet: the CNet computes outside the training step, and once only where nothing changes an image."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from models.distributed import current_world_size
from utils.memory import available_memory

MEMORY_SHARE = 1 / 4  # of the memory that is available at the start, for outputs that all ranks keep


class FrozenFeatures:
    """A batch -> the outputs of a CNet that does not learn: (dp_out, features, codes).

    The tuple is mutable: GRAPH mode would take a plain one for a constant and compile every step anew.
    reuse: without augmentation a sample is the same in every epoch, so its outputs are kept, in up to
    MEMORY_SHARE of the memory.
    """

    COLUMNS = ("imgname", "center", "scale")  # tell one sample from another

    def __init__(self, cnet: nn.Cell, reuse: bool):
        self.cnet, self.reuse = cnet, reuse
        self.known: dict[tuple, list[np.ndarray]] = {}
        # all ranks may be on this machine
        self.size, self.limit = 0, MEMORY_SHARE * available_memory() / current_world_size()

    def __call__(self, batch: dict) -> tuple[Tensor, ...]:
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
