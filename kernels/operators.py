"""The code of kernels/native as operators of MindSpore, with gradients, in graph and pynative mode.

Padding of convolutions is half of the kernel's size: a map [B, C, H, W] becomes [B, C', ceil(H / stride),
ceil(W / stride)].

Operators with a norm give its mean and 1 / deviation behind their result, which the backward pass needs: [B, G] of a
GroupNorm of G groups, [C] of a BatchNorm in training, whose `groups` are None. Gradients reach the inputs from the
first output only.
"""

from mindspore import ops
from mindspore.common import dtype

from kernels import build

SPLIT_CHANNELS = 16  # that oneDNN keeps together


def convolution(stride: int, has_bias: bool) -> ops.Custom:
    """(features [B, C, H, W], kernel [C', C, k, k][, bias [C']]) -> [B, C', H', W']."""
    of_features = _operator("gradient_of_image", lambda g, kernel, x: x)
    of_kernel = _gradient_of_kernel(has_bias)

    def shape(features, kernel, *_):
        return _convolved(features, kernel, stride)

    def bprop(features, kernel, output, gradient):
        return of_features(gradient, kernel, features), of_kernel(features, gradient, kernel)

    def bprop_with_bias(features, kernel, bias, output, gradient):
        of_weights = of_kernel(features, gradient, kernel)
        return of_features(gradient, kernel, features), of_weights[0], of_weights[1]

    return _operator("convolve", shape, 1, bprop_with_bias if has_bias else bprop, stride, has_bias)


def _gradient_of_kernel(has_bias: bool) -> ops.Custom:
    """(features, gradient of the output, kernel) -> gradient of the kernel[, of the bias]."""

    def shape(features, gradient, kernel):
        return (kernel, [kernel[0]]) if has_bias else kernel

    return _operator("gradient_of_kernel", shape, 2 if has_bias else 1, None, has_bias)


def two_convolutions() -> ops.Custom:
    """(features [B, C, H, W], kernel [C1, C, k, k], bias [C1], kernel [C2, C, k, k], bias [C2]) -> both results.

    They are computed as one with the output channels of both. C1 must be a multiple of SPLIT_CHANNELS.
    """
    of_inputs = _operator(
        "gradients_of_both", lambda x, kernel1, kernel2, *_: (x, kernel1, [kernel1[0]], kernel2, [kernel2[0]]), 5
    )

    def shape(features, kernel1, bias1, kernel2, bias2):
        return _convolved(features, kernel1), _convolved(features, kernel2)

    def bprop(features, kernel1, bias1, kernel2, bias2, outputs, gradients):
        return of_inputs(features, kernel1, kernel2, gradients[0], gradients[1])

    return _operator("convolve_twice", shape, 2, bprop)


def norm(groups: int) -> ops.Custom:
    """(features [B, C, H, W], gamma [C], beta [C]) -> normalised, mean, 1 / deviation."""
    of_inputs = _operator("norm_gradient", lambda x, gamma, *_: (x, gamma, gamma), 3)

    def shape(features, gamma, beta):
        return (features, *_statistics(features, groups))

    def bprop(features, gamma, beta, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0])

    return _operator("normalise", shape, 3, bprop, groups)


def residual_norm(groups: int | None) -> ops.Custom:
    """A norm, a sum and ReLU: (features [B, C, H, W], gamma [C], beta [C], skip [B, C, H, W]) -> as norm."""
    of_inputs = _operator("residual_norm_gradient", lambda x, gamma, *_: (x, gamma, gamma, x), 4)

    def shape(features, gamma, beta, skip):
        return (features, *_statistics(features, groups))

    def bprop(features, gamma, beta, skip, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0], outputs[0])

    return _operator("residual_norm", shape, 3, bprop, groups)


def rectified_convolution(groups: int | None, stride: int = 1, has_bias: bool = True) -> ops.Custom:
    """A norm, ReLU and a convolution, whose input is computed again for the backward pass rather than kept.

    (features [B, C, H, W], gamma [C], beta [C], kernel [C', C, k, k][, bias [C']]) -> convolved [B, C', H', W'], mean,
    1 / deviation.
    """

    def of_weights(x, gamma, beta, mean, deviation, kernel, g):
        return (x, gamma, beta, kernel, [kernel[0]]) if has_bias else (x, gamma, beta, kernel)

    of_inputs = _operator("rectified_gradients", of_weights, 5 if has_bias else 4, None, has_bias)

    def shape(features, gamma, beta, kernel, *_):
        return (_convolved(features, kernel, stride), *_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    def bprop_with_bias(features, gamma, beta, kernel, bias, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    settings = (groups, stride, has_bias)
    return _operator("rectified_convolve", shape, 3, bprop_with_bias if has_bias else bprop, *settings)


def rectified_transposed_convolution(groups: int, stride: int) -> ops.Custom:
    """The same with a transposed convolution: kernel [C', C, k, k], no bias -> [B, C', stride * H, stride * W].

    The kernel's first axis is that of the output, as a convolution's; MindSpore and PyTorch have it second.
    """
    of_inputs = _operator(
        "rectified_transposed_gradients",
        lambda x, gamma, beta, mean, deviation, kernel, g: (x, gamma, beta, kernel),
        4,
    )

    def shape(features, gamma, beta, kernel):
        return (_enlarged(features, kernel, stride), *_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    return _operator("rectified_transposed_convolve", shape, 3, bprop, groups, stride)


def warp(side: int, position_channels: int) -> ops.Custom:
    """models.warp.warp_feature: (dp_out [B, 3, h, w], features [B, C, h, w]) -> [B, C + 3, side, side]."""
    of_features = _operator("warp_gradient", lambda dp_out, features, g: features)

    def shape(dp_out, features):
        return [features[0], features[1] + position_channels, side, side]

    def bprop(dp_out, features, output, gradient):
        return ops.zeros_like(dp_out), of_features(dp_out, features, gradient)

    return _operator("warp_to_surface", shape, 1, bprop, side)


def square_sum() -> ops.Custom:
    """Any number of arrays -> the sum of their squares, [1]; no gradient."""
    return _operator("square_sum", lambda *_: [1])


def _convolved(features, kernel, stride: int = 1) -> list:
    return [features[0], kernel[0], -(-features[2] // stride), -(-features[3] // stride)]


def _enlarged(features, kernel, stride: int) -> list:
    return [features[0], kernel[0], stride * features[2], stride * features[3]]


def _statistics(features, groups: int | None) -> tuple:
    """Shapes of mean and 1 / deviation."""
    found = [features[1]] if groups is None else [features[0], groups]
    return found, found


def _operator(name: str, shape, outputs: int = 1, bprop=None, *settings) -> ops.Custom:
    """`shape`: shapes of the inputs -> shape of the output, or a tuple of those of so many `outputs`."""

    def types(*inputs):
        if any(found != dtype.TensorType(dtype.float32) for found in inputs):
            raise TypeError(f"compiled operators are float32, not {', '.join(map(str, inputs))}")
        return inputs[0] if outputs == 1 else (inputs[0],) * outputs

    operator = ops.Custom(f"{build.load()}:{name}", shape, types, "aot", bprop)
    # MindSpore takes operators with equal attributes for one
    operator.add_prim_attr("settings", str(settings))
    return operator
