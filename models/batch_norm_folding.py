"""For inference, BatchNorm becomes part of the convolution before it: the same function with one pass less.

With fixed statistics, gamma * (w * x + b - mean) / deviation + beta is a convolution with scaled
weights and another bias.
"""

from collections.abc import Iterator

import numpy as np
from mindspore import Parameter, Tensor, nn

from models.layer import ConvBottleNeck
from models.resnet import Bottleneck, ResNet50

Place = tuple[nn.Cell, str | int]  # a cell and the name, or number, of one of its layers


def fold_batch_norm(network: nn.Cell) -> nn.Cell:
    """`network`, with every BatchNorm that follows a convolution folded into it: for inference alone.

    Its parameters are no longer those of a checkpoint: load the weights before.
    """
    for _, cell in list(network.cells_and_names()):
        for convolution, norm in _pairs(cell):
            if isinstance(_get(norm), nn.BatchNorm2d):
                _fold(_get(convolution), _get(norm))
                _replace(norm, nn.Identity())
    return network


def _pairs(cell: nn.Cell) -> Iterator[tuple[Place, Place]]:
    """The places of every convolution in `cell` and of the norm behind it."""
    if isinstance(cell, ResNet50):
        yield (cell, "conv1"), (cell, "bn1")
    elif isinstance(cell, Bottleneck):
        for number in (1, 2, 3):
            yield (cell, f"conv{number}"), (cell, f"bn{number}")
        if cell.has_downsample:
            yield (cell.downsample, 0), (cell.downsample, 1)
    elif isinstance(cell, ConvBottleNeck):
        for number in (1, 2, 3):
            yield (cell, f"conv{number}"), (cell, f"norm{number}")


def _get(place: Place) -> nn.Cell:
    cell, key = place
    return getattr(cell, key) if isinstance(key, str) else cell[key]


def _replace(place: Place, layer: nn.Cell) -> None:
    cell, key = place
    if isinstance(key, str):
        setattr(cell, key, layer)
    else:
        cell[key] = layer


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Change weight and bias of `convolution` so that it does what `norm` behind it did, computed in float64."""
    gamma, beta, mean, variance = (
        value.asnumpy().astype(np.float64) for value in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.eps)
    bias = convolution.bias.asnumpy() if convolution.has_bias else 0.0
    weight = convolution.weight.asnumpy() * scale[:, None, None, None]
    convolution.weight.set_data(Tensor(weight.astype(np.float32)))
    folded = Tensor((beta + scale * (bias - mean)).astype(np.float32))
    if convolution.has_bias:
        convolution.bias.set_data(folded)
    else:
        convolution.bias = Parameter(folded, name=convolution.weight.name.removesuffix("weight") + "bias")
        convolution.has_bias = True
