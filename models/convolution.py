"""Convolutions, compiled or MindSpore's, and sums over their channels."""

from mindspore import Tensor, nn, ops

from models import native_operators
from utils import native_code

# the function ops.bias_add keeps a cache that MindSpore's compiler stumbles over
_add_bias = ops.BiasAdd()


def add_to_channels(features: Tensor, values: Tensor) -> Tensor:
    """features [B, C, H, W], values of B * C elements -> features plus the value of their channel and sample."""
    batch, channels, height, width = features.shape
    # every channel of every sample as a channel of its own
    rows = _add_bias(features.reshape(1, batch * channels, height, width), values.reshape(-1))
    return rows.reshape(batch, channels, height, width)


def convolution(out_channels: int, size: int) -> ops.Primitive:
    """(features [B, C, H, W], kernel [out, C, size, size]) -> [B, out, H, W], zeros beyond the border."""
    if native_code.in_use():
        return native_operators.convolution(stride=1, has_bias=False)
    return ops.Conv2D(out_channels, size, pad_mode="pad", pad=size // 2)


class Conv2d(nn.Conv2d):
    """[B, in, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)], zeros beyond the border; no bias by default."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1, **options):
        super().__init__(in_channels, out_channels, size, stride, pad_mode="pad", padding=size // 2, **options)
        self.is_native = native_code.in_use()
        if self.is_native:
            self.convolve = native_operators.convolution(stride, has_bias=False)
            self.convolve_with_bias = native_operators.convolution(stride, has_bias=True)

    def construct(self, features: Tensor) -> Tensor:
        if self.is_native and self.has_bias:
            return self.convolve_with_bias(features, self.weight, self.bias)
        if self.is_native:
            return self.convolve(features, self.weight)
        return self.with_bias(self.conv2d(features, self.weight))

    def with_bias(self, output: Tensor) -> Tensor:
        """[B, out, H', W'] plus the bias, where there is one."""
        if not self.has_bias:
            return output
        return self.bias_add(output, self.bias)
