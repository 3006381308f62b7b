"""--zero_init_residual: new networks that start simple."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from models.layer import ConvBottleNeck
from models.resnet import Bottleneck

UPRIGHT_CAMERA = (1.0, 0.0, 0.0)  # s, tx, ty: the crop is 2 m high, its middle the root


def zero_init_residual(network: nn.Cell) -> None:
    """Let every bottleneck of `network` start as its skip alone: scale of the last norm 0 (Goyal et al., 2017)."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, ConvBottleNeck):
            cell.norm3.gamma.set_data(ops.zeros_like(cell.norm3.gamma))
        elif isinstance(cell, Bottleneck):
            cell.bn3.gamma.set_data(ops.zeros_like(cell.bn3.gamma))


def start_constant(camera_head: nn.SequentialCell) -> None:
    """Let a new camera head give UPRIGHT_CAMERA for every image: the weights of its last layer are 0."""
    last = camera_head[-1]
    last.weight.set_data(ops.zeros_like(last.weight))
    last.bias.set_data(Tensor(UPRIGHT_CAMERA, ms.float32))
