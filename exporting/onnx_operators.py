"""The ONNX form of every kind of cell: WRITERS, at the end, has one function for each kind.

A function write_...(graph, cell, value) adds the nodes of a cell to the graph. `value` is the name of the cell's
input; the function returns the name of its output.
"""

import numpy as np
from mindspore import Parameter, nn

from exporting.onnx_graph import OnnxGraph
from models.group_norm import EPSILON, GroupNorm
from models.layer import ConvBottleNeck, HourGlass, NearestBottleNeck
from models.resnet import Bottleneck
from models.upsample import BilinearUpsample2


def write_cell(graph: OnnxGraph, cell: nn.Cell, value: str) -> str:
    """Write a cell that has one input and one output; TypeError if its kind is not in WRITERS."""
    for kind, write in WRITERS.items():
        if isinstance(cell, kind):
            return write(graph, cell, value)
    raise TypeError(f"no ONNX form is known for {type(cell).__name__}")


def _add_parameter(graph: OnnxGraph, parameter: Parameter) -> str:
    return graph.add_constant(parameter.asnumpy())


# ---- layers ----


def write_convolution(graph: OnnxGraph, cell: nn.Conv2d, value: str) -> str:
    top, bottom, left, right = cell.padding if isinstance(cell.padding, tuple) else (cell.padding,) * 4
    parameters = [cell.weight, cell.bias] if cell.has_bias else [cell.weight]
    return graph.add_node(
        "Conv",
        value,
        *(_add_parameter(graph, parameter) for parameter in parameters),
        strides=list(cell.stride),
        pads=[top, left, bottom, right],
        kernel_shape=list(cell.kernel_size),
    )


def write_dense(graph: OnnxGraph, cell: nn.Dense, value: str) -> str:
    weight, bias = _add_parameter(graph, cell.weight), _add_parameter(graph, cell.bias)
    return graph.add_node("Gemm", value, weight, bias, transB=1)


def write_batch_norm(graph: OnnxGraph, cell: nn.BatchNorm2d | nn.BatchNorm1d, value: str) -> str:
    parameters = (cell.gamma, cell.beta, cell.moving_mean, cell.moving_variance)
    names = [_add_parameter(graph, parameter) for parameter in parameters]
    return graph.add_node("BatchNormalization", value, *names, epsilon=float(cell.eps))


def write_group_norm(graph: OnnxGraph, cell: GroupNorm, value: str) -> str:
    """Normalise groups as the channels of an InstanceNormalization, then scale and shift every channel."""
    grouped = graph.reshape(value, 0, cell.groups, -1)
    ones, zeros = graph.add_constant(np.ones(cell.groups)), graph.add_constant(np.zeros(cell.groups))
    normalised = graph.add_node("InstanceNormalization", grouped, ones, zeros, epsilon=EPSILON)
    normalised = graph.add_node("Reshape", normalised, graph.add_node("Shape", value))
    gamma, beta = (graph.add_constant(parameter.asnumpy().reshape(-1, 1, 1)) for parameter in (cell.gamma, cell.beta))
    return graph.add(graph.add_node("Mul", normalised, gamma), beta)


def write_max_pool(graph: OnnxGraph, cell: nn.MaxPool2d, value: str) -> str:
    padding = cell.padding[-1] if cell.use_pad else 0
    size, stride = int(cell.kernel_size), int(cell.stride)
    return graph.add_node("MaxPool", value, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[padding] * 4)


def write_relu(graph: OnnxGraph, cell: nn.ReLU, value: str) -> str:
    return graph.rectify(value)


def write_leaky_relu(graph: OnnxGraph, cell: nn.LeakyReLU, value: str) -> str:
    return graph.add_node("LeakyRelu", value, alpha=0.2)


def write_sigmoid(graph: OnnxGraph, cell: nn.Sigmoid, value: str) -> str:
    return graph.add_node("Sigmoid", value)


def write_bilinear_upsampling(graph: OnnxGraph, cell: BilinearUpsample2, value: str) -> str:
    return graph.double_size(value, "linear")


# ---- blocks ----


def write_sequence(graph: OnnxGraph, cell: nn.SequentialCell, value: str) -> str:
    for child in cell:
        value = write_cell(graph, child, value)
    return value


def _write_rectified(graph: OnnxGraph, conv: nn.Cell, norm: nn.Cell, value: str) -> str:
    return graph.rectify(write_cell(graph, norm, write_cell(graph, conv, value)))


def _write_residual(graph: OnnxGraph, projection: nn.Cell | None, layers: tuple, value: str) -> str:
    """Pairs (convolution, norm) with ReLU between them, plus a skip, then ReLU; None: the skip is the input itself."""
    skip = value if projection is None else write_cell(graph, projection, value)
    *inner, (last_conv, last_norm) = layers
    for conv, norm in inner:
        value = _write_rectified(graph, conv, norm, value)
    value = write_cell(graph, last_norm, write_cell(graph, last_conv, value))
    return graph.rectify(graph.add(value, skip))


def write_conv_bottleneck(graph: OnnxGraph, cell: ConvBottleNeck, value: str) -> str:
    layers = (cell.conv1, cell.norm1), (cell.conv2, cell.norm2), (cell.conv3, cell.norm3)
    return _write_residual(graph, cell.skip_conv if cell.projects_skip else None, layers, value)


def write_nearest_bottleneck(graph: OnnxGraph, cell: NearestBottleNeck, value: str) -> str:
    return write_cell(graph, cell[1], graph.double_size(value, "nearest"))


def write_hourglass(graph: OnnxGraph, cell: HourGlass, value: str) -> str:
    skips = []
    for down in cell.down_layers:
        skips.append(value)
        value = write_cell(graph, down, value)
    for up, skip in zip(reversed(list(cell.up_layers)), reversed(skips), strict=True):
        value = graph.add(write_cell(graph, up, value), skip)
    return write_cell(graph, cell.norm, value)


def write_encoder_bottleneck(graph: OnnxGraph, cell: Bottleneck, value: str) -> str:
    layers = (cell.conv1, cell.bn1), (cell.conv2, cell.bn2), (cell.conv3, cell.bn3)
    return _write_residual(graph, cell.downsample if cell.has_downsample else None, layers, value)


# The first kind that a cell is an instance of counts: NearestBottleNeck is a SequentialCell too.
WRITERS = {
    NearestBottleNeck: write_nearest_bottleneck,
    nn.SequentialCell: write_sequence,
    nn.Conv2d: write_convolution,
    nn.Dense: write_dense,
    nn.BatchNorm2d: write_batch_norm,
    nn.BatchNorm1d: write_batch_norm,
    GroupNorm: write_group_norm,
    nn.MaxPool2d: write_max_pool,
    nn.ReLU: write_relu,
    nn.LeakyReLU: write_leaky_relu,
    nn.Sigmoid: write_sigmoid,
    BilinearUpsample2: write_bilinear_upsampling,
    ConvBottleNeck: write_conv_bottleneck,
    HourGlass: write_hourglass,
    Bottleneck: write_encoder_bottleneck,
}
