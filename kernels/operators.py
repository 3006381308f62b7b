"""Make MindSpore operators from the code of kernels/native, with gradients, for graph and pynative mode.

With `keeps`, an operator keeps its kernel as it has prepared it at the first call: for inference with weights that stay
as they are. It has no gradient, and a last input, which is that of `number`.

Convolutions pad by half of the kernel's size: a map [B, C, H, W] becomes [B, C', ceil(H / stride), ceil(W / stride)].

Operators with a norm also return its mean and 1 / deviation, which the backward pass needs: [B, G] for a GroupNorm of G
groups, [C] for a BatchNorm in training, which has `groups` None. Only the first output passes gradients on.
"""

import ctypes
import itertools
import weakref

import mindspore as ms
from mindspore import Tensor, nn, ops
from mindspore.common import dtype

from kernels import build

SPLIT_CHANNELS = 16  # oneDNN keeps so many channels together


_numbers = itertools.count(1)


def number(layer: nn.Cell) -> tuple[Tensor]:
    """Make the last input of operators that keep the kernel of a layer: another number for every layer.

    What is kept is forgotten when the layer is deleted.
    """
    found = next(_numbers)
    weakref.finalize(layer, ctypes.CDLL(str(build.load())).release_kept, ctypes.c_int64(found))
    return (Tensor([found], ms.float32),)


def make_convolution(stride: int, has_bias: bool, keeps: bool = False) -> ops.Custom:
    """(features [B, C, H, W], kernel [C', C, k, k][, bias [C']]) -> [B, C', H', W']."""
    of_features = _make_operator("gradient_of_image", lambda g, kernel, x: x)
    of_kernel = _make_gradient_of_kernel(has_bias)

    def shape(features, kernel, *_):
        return _shape_convolved(features, kernel, stride)

    def bprop(features, kernel, output, gradient):
        return of_features(gradient, kernel, features), of_kernel(features, gradient, kernel)

    def bprop_with_bias(features, kernel, bias, output, gradient):
        of_weights = of_kernel(features, gradient, kernel)
        return of_features(gradient, kernel, features), of_weights[0], of_weights[1]

    if keeps:
        return _make_operator("convolve_kept", shape, 1, None, stride, has_bias)
    return _make_operator("convolve", shape, 1, bprop_with_bias if has_bias else bprop, stride, has_bias)


def make_convolution_and_relu(stride: int, adds_skip: bool, keeps: bool = False) -> ops.Custom:
    """(features, kernel, bias [C'][, skip [B, C', H', W']]) -> ReLU of the convolution (+ skip); without gradient."""

    def shape(features, kernel, *_):
        return _shape_convolved(features, kernel, stride)

    return _make_operator("convolve_and_rectify" + "_kept" * keeps, shape, 1, None, stride, adds_skip)


def _make_gradient_of_kernel(has_bias: bool) -> ops.Custom:
    """(features, gradient of the output, kernel) -> gradient of the kernel[, of the bias]."""

    def shape(features, gradient, kernel):
        return (kernel, [kernel[0]]) if has_bias else kernel

    return _make_operator("gradient_of_kernel", shape, 2 if has_bias else 1, None, has_bias)


def make_two_convolutions(keeps: bool = False) -> ops.Custom:
    """(features [B, C, H, W], kernel [C1, C, k, k], bias [C1], kernel [C2, C, k, k], bias [C2]) -> both results.

    They are computed as one convolution with the output channels of both. C1 must be a multiple of SPLIT_CHANNELS.
    """
    of_inputs = _make_operator(
        "gradients_of_both", lambda x, kernel1, kernel2, *_: (x, kernel1, [kernel1[0]], kernel2, [kernel2[0]]), 5
    )

    def shape(features, kernel1, bias1, kernel2, bias2, *_):
        return _shape_convolved(features, kernel1), _shape_convolved(features, kernel2)

    def bprop(features, kernel1, bias1, kernel2, bias2, outputs, gradients):
        return of_inputs(features, kernel1, kernel2, gradients[0], gradients[1])

    if keeps:
        return _make_operator("convolve_twice_kept", shape, 2)
    return _make_operator("convolve_twice", shape, 2, bprop)


def make_norm(groups: int) -> ops.Custom:
    """(features [B, C, H, W], gamma [C], beta [C]) -> normalised, mean, 1 / deviation."""
    of_inputs = _make_operator("norm_gradient", lambda x, gamma, *_: (x, gamma, gamma), 3)

    def shape(features, gamma, beta):
        return (features, *_shape_statistics(features, groups))

    def bprop(features, gamma, beta, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0])

    return _make_operator("normalise", shape, 3, bprop, groups)


def make_residual_norm(groups: int | None) -> ops.Custom:
    """A norm, a sum and ReLU: (features [B, C, H, W], gamma [C], beta [C], skip [B, C, H, W]) -> as norm."""
    of_inputs = _make_operator("residual_norm_gradient", lambda x, gamma, *_: (x, gamma, gamma, x), 4)

    def shape(features, gamma, beta, skip):
        return (features, *_shape_statistics(features, groups))

    def bprop(features, gamma, beta, skip, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0], outputs[0])

    return _make_operator("residual_norm", shape, 3, bprop, groups)


def make_rectified_convolution(
    groups: int | None, stride: int = 1, has_bias: bool = True, keeps: bool = False
) -> ops.Custom:
    """A norm, ReLU and a convolution. The backward pass computes the convolution's input again, to save memory.

    (features [B, C, H, W], gamma [C], beta [C], kernel [C', C, k, k][, bias [C']]) -> convolved [B, C', H', W'], mean,
    1 / deviation.
    """

    def of_weights(x, gamma, beta, mean, deviation, kernel, g):
        return (x, gamma, beta, kernel, [kernel[0]]) if has_bias else (x, gamma, beta, kernel)

    of_inputs = _make_operator("rectified_gradients", of_weights, 5 if has_bias else 4, None, has_bias)

    def shape(features, gamma, beta, kernel, *_):
        return (_shape_convolved(features, kernel, stride), *_shape_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    def bprop_with_bias(features, gamma, beta, kernel, bias, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    settings = (groups, stride, has_bias)
    if keeps:
        return _make_operator("rectified_convolve_kept", shape, 3, None, *settings)
    return _make_operator("rectified_convolve", shape, 3, bprop_with_bias if has_bias else bprop, *settings)


def make_rectified_transposed_convolution(groups: int, stride: int, keeps: bool = False) -> ops.Custom:
    """A norm, ReLU and a transposed convolution: kernel [C', C, k, k], no bias -> [B, C', stride * H, stride * W].

    The kernel's first axis is the output channel, as in a convolution; in MindSpore and PyTorch it is the second.
    """
    of_inputs = _make_operator(
        "rectified_transposed_gradients",
        lambda x, gamma, beta, mean, deviation, kernel, g: (x, gamma, beta, kernel),
        4,
    )

    def shape(features, gamma, beta, kernel, *_):
        return (_shape_enlarged(features, kernel, stride), *_shape_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    if keeps:
        return _make_operator("rectified_transposed_convolve_kept", shape, 3, None, groups, stride)
    return _make_operator("rectified_transposed_convolve", shape, 3, bprop, groups, stride)


def make_max_pool(size: int, stride: int, padding: int) -> ops.Custom:
    """(features [B, C, H, W], window [3] float32 of these three numbers) -> the largest of each size x size pixels."""
    of_features = _make_operator("max_pool_gradient", lambda features, *_: features)

    def shape(features, window):
        sides = [(side + 2 * padding - size) // stride + 1 for side in features[2:]]
        return [*features[:2], *sides]

    def bprop(features, window, output, gradient):
        return of_features(features, window, output, gradient), ops.zeros_like(window)

    return _make_operator("max_pool", shape, 1, bprop, size, stride, padding)


def make_warp(side: int, position_channels: int) -> ops.Custom:
    """models.warp.warp_feature: (dp_out [B, 3, h, w], features [B, C, h, w]) -> [B, C + 3, side, side]."""
    of_features = _make_operator("warp_gradient", lambda dp_out, features, g: features)

    def shape(dp_out, features):
        return [features[0], features[1] + position_channels, side, side]

    def bprop(dp_out, features, output, gradient):
        return ops.zeros_like(dp_out), of_features(dp_out, features, gradient)

    return _make_operator("warp_to_surface", shape, 1, bprop, side)


def make_look_up() -> ops.Custom:
    """models.grid_sample.GridSample: (map [B, C, H, W], grid [B, h, w, 2]) -> [B, C, h, w]."""
    of_map = _make_operator("look_up_gradient", lambda pixels, grid, g: pixels)

    def shape(pixels, grid):
        return [*pixels[:2], *grid[1:3]]

    def bprop(pixels, grid, output, gradient):
        return of_map(pixels, grid, gradient), ops.zeros_like(grid)

    return _make_operator("look_up", shape, 1, bprop)


def make_sum_of_squares() -> ops.Custom:
    """(any number of arrays) -> the sum of the squares of all their numbers [1]; without gradient."""
    return _make_operator("sum_squares", lambda *arrays: [1])


def _shape_convolved(features, kernel, stride: int = 1) -> list:
    return [features[0], kernel[0], -(-features[2] // stride), -(-features[3] // stride)]


def _shape_enlarged(features, kernel, stride: int) -> list:
    return [features[0], kernel[0], stride * features[2], stride * features[3]]


def _shape_statistics(features, groups: int | None) -> tuple:
    """Give the shapes of mean and 1 / deviation."""
    found = [features[1]] if groups is None else [features[0], groups]
    return found, found


def _make_operator(name: str, shape, outputs: int = 1, bprop=None, *settings) -> ops.Custom:
    """Make an operator. shape: shapes of the inputs -> shape of the output, or a tuple of shapes if `outputs` > 1."""

    def types(*inputs):
        if any(found != dtype.TensorType(dtype.float32) for found in inputs):
            raise TypeError(f"compiled operators are float32, not {', '.join(map(str, inputs))}")
        return inputs[0] if outputs == 1 else (inputs[0],) * outputs

    operator = ops.Custom(f"{build.load()}:{name}", shape, types, "aot", bprop)
    # MindSpore treats operators with equal attributes as the same
    operator.add_prim_attr("settings", str(settings))
    return operator
