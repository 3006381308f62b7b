"""The code of native/ as operators of MindSpore, with gradients, in graph and pynative mode.

Padding of convolutions is half of the kernel's size: a map [B, C, H, W] becomes [B, C', ceil(H / stride),
ceil(W / stride)].
"""

from mindspore import ops
from mindspore.common import dtype

from utils import native_code

SPLIT_CHANNELS = 16  # that oneDNN keeps together


def convolution(stride: int, has_bias: bool) -> ops.Custom:
    """(features [B, C, H, W], kernel [C', C, k, k][, bias [C']]) -> [B, C', H', W']."""
    of_features = _operator("gradient_of_image", lambda g, kernel, x: x, _type_of_first, None)
    of_kernel = _gradient_of_kernel(has_bias)

    def shape(features, kernel, *_):
        return [features[0], kernel[0], -(-features[2] // stride), -(-features[3] // stride)]

    def bprop(features, kernel, output, gradient):
        return of_features(gradient, kernel, features), of_kernel(features, gradient, kernel)

    def bprop_with_bias(features, kernel, bias, output, gradient):
        of_weights = of_kernel(features, gradient, kernel)
        return of_features(gradient, kernel, features), of_weights[0], of_weights[1]

    return _operator("convolve", shape, _type_of_first, bprop_with_bias if has_bias else bprop, stride, has_bias)


def two_convolutions() -> ops.Custom:
    """(features [B, C, H, W], kernel [C1, C, k, k], bias [C1], kernel [C2, C, k, k], bias [C2]) -> both results.

    They are computed as one with the output channels of both. C1 must be a multiple of SPLIT_CHANNELS.
    """

    def gradient_types(*inputs):
        return (_type_of_first(*inputs),) * 5

    of_inputs = _operator(
        "gradients_of_both",
        lambda x, kernel1, kernel2, *_: (x, kernel1, [kernel1[0]], kernel2, [kernel2[0]]),
        gradient_types,
        None,
    )

    def shape(features, kernel1, bias1, kernel2, bias2):
        return tuple([features[0], kernel[0], *features[2:]] for kernel in (kernel1, kernel2))

    def types(*inputs):
        return (_type_of_first(*inputs),) * 2

    def bprop(features, kernel1, bias1, kernel2, bias2, outputs, gradients):
        return of_inputs(features, kernel1, kernel2, gradients[0], gradients[1])

    return _operator("convolve_twice", shape, types, bprop)


def transposed_convolution(stride: int) -> ops.Custom:
    """(features [B, C, H, W], kernel [C', C, k, k]) -> [B, C', stride * H, stride * W].

    The kernel's first axis is that of the output, as a convolution's; MindSpore and PyTorch have it second.
    """
    of_features = _operator("transposed_gradient_of_features", lambda g, kernel, x: x, _type_of_first, None)
    of_kernel = _operator("transposed_gradient_of_kernel", lambda g, x, kernel: kernel, _type_of_first, None)

    def shape(features, kernel):
        return [features[0], kernel[0], stride * features[2], stride * features[3]]

    def bprop(features, kernel, output, gradient):
        return of_features(gradient, kernel, features), of_kernel(gradient, features, kernel)

    return _operator("transposed_convolve", shape, _type_of_first, bprop, stride)


def _gradient_of_kernel(has_bias: bool) -> ops.Custom:
    """(features, gradient of the output, kernel) -> gradient of the kernel[, of the bias]."""

    def shape(features, gradient, kernel):
        return (kernel, [kernel[0]]) if has_bias else kernel

    def types(*inputs):
        found = _type_of_first(*inputs)
        return (found, found) if has_bias else found

    return _operator("gradient_of_kernel", shape, types, None, has_bias)


def group_norm(groups: int) -> ops.Custom:
    """(features [B, C, H, W], gamma [C], beta [C]) -> normalised, mean [B, G], 1 / deviation [B, G].

    Gradients reach the inputs from the first output only; the other two are what the backward pass needs.
    """
    of_inputs = _operator("group_norm_gradient", lambda x, gamma, *_: (x, gamma, gamma), _three_types, None)

    def shape(features, gamma, beta):
        return (features, *_statistics(features, groups))

    def bprop(features, gamma, beta, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0])

    return _operator("group_norm", shape, _three_types, bprop, groups)


def residual_norm(groups: int) -> ops.Custom:
    """GroupNorm, a sum and ReLU: (features [B, C, H, W], gamma [C], beta [C], skip [B, C, H, W]) -> as group_norm."""

    def gradient_types(*inputs):
        return (_type_of_first(*inputs),) * 4

    of_inputs = _operator("residual_norm_gradient", lambda x, gamma, *_: (x, gamma, gamma, x), gradient_types, None)

    def shape(features, gamma, beta, skip):
        return (features, *_statistics(features, groups))

    def bprop(features, gamma, beta, skip, outputs, gradients):
        return of_inputs(features, gamma, outputs[1], outputs[2], gradients[0], outputs[0])

    return _operator("residual_norm", shape, _three_types, bprop, groups)


def rectified_convolution(groups: int) -> ops.Custom:
    """GroupNorm, ReLU and a convolution, whose input is computed again for the backward pass rather than kept.

    (features [B, C, H, W], gamma [C], beta [C], kernel [C', C, k, k], bias [C']) -> convolved [B, C', H, W] and the
    statistics, as of group_norm.
    """

    def gradient_types(*inputs):
        return (_type_of_first(*inputs),) * 5

    of_inputs = _operator(
        "rectified_gradients",
        lambda x, gamma, beta, mean, deviation, kernel, g: (x, gamma, beta, kernel, [kernel[0]]),
        gradient_types,
        None,
    )

    def shape(features, gamma, beta, kernel, bias):
        return ([features[0], kernel[0], *features[2:]], *_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, bias, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    return _operator("rectified_convolve", shape, _three_types, bprop, groups)


def rectified_transposed_convolution(groups: int, stride: int) -> ops.Custom:
    """The same with a transposed convolution: kernel [C', C, k, k], no bias -> [B, C', stride * H, stride * W]."""

    def gradient_types(*inputs):
        return (_type_of_first(*inputs),) * 4

    of_inputs = _operator(
        "rectified_transposed_gradients",
        lambda x, gamma, beta, mean, deviation, kernel, g: (x, gamma, beta, kernel),
        gradient_types,
        None,
    )

    def shape(features, gamma, beta, kernel):
        enlarged = [features[0], kernel[0], stride * features[2], stride * features[3]]
        return (enlarged, *_statistics(features, groups))

    def bprop(features, gamma, beta, kernel, outputs, gradients):
        return of_inputs(features, gamma, beta, outputs[1], outputs[2], kernel, gradients[0])

    return _operator("rectified_transposed_convolve", shape, _three_types, bprop, groups, stride)


def _statistics(features, groups: int) -> tuple:
    """Shapes of mean and 1 / deviation."""
    return [features[0], groups], [features[0], groups]


def _three_types(*inputs):
    return (_type_of_first(*inputs),) * 3


def _type_of_first(*inputs):
    if any(found != dtype.TensorType(dtype.float32) for found in inputs):
        raise TypeError(f"compiled operators are float32, not {', '.join(map(str, inputs))}")
    return inputs[0]


def _operator(name: str, shape, types, bprop, *settings) -> ops.Custom:
    operator = ops.Custom(f"{native_code.library()}:{name}", shape, types, "aot", bprop)
    # MindSpore takes operators with equal attributes for one
    operator.add_prim_attr("settings", str(settings))
    return operator
