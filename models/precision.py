"""Half precision: the networks in float16, and in float32 what float16 cannot hold.

Weights, the optimiser and the losses are float32 (the loss cells cast what the networks give). Within the networks
norms are, whose sums of squares overflow float16, and the warp, which counts pixels and cells. `mindspore.amp` has no
such rule: its O3 takes the norms too, and its O2 puts other cells in their place.
"""

import mindspore as ms
from mindspore import nn

from models.distributed import BATCH_NORMS, SyncBatchNorm
from models.group_norm import GroupNorm
from models.warp import Warp

IN_FLOAT32 = (*BATCH_NORMS, SyncBatchNorm, GroupNorm, Warp)


def to_half_precision(network: nn.Cell) -> None:
    """Let `network` compute in float16, but for the cells IN_FLOAT32."""
    network.to_float(ms.float16)
    for _, cell in network.cells_and_names():
        if isinstance(cell, IN_FLOAT32):
            cell.to_float(ms.float32)
