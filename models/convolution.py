"""Convolutions, and sums over their channels, in the form that is fastest with and without fused kernels."""

import mindspore as ms
from mindspore import Tensor, nn, ops

from models import onednn_convolution
from utils import native_code


@ops.constexpr
def fuses_kernels() -> bool:
    """Whether the graph that is compiled has fused kernels (`--mode fused`): plain arithmetic is then the fastest."""
    return bool(ms.get_context("enable_graph_kernel"))


def add_to_channels(features: Tensor, values: Tensor) -> Tensor:
    """features [B, C, H, W], values of B * C elements -> features plus the value of their channel and sample."""
    batch, channels, height, width = features.shape
    if fuses_kernels():
        return features + values.reshape(batch, channels, 1, 1)
    # every channel of every sample as a channel of its own
    rows = ops.bias_add(features.reshape(1, batch * channels, height, width), values.reshape(-1))
    return rows.reshape(batch, channels, height, width)


def convolution(out_channels: int, size: int) -> ops.Primitive:
    """(features [B, C, H, W], kernel [out, C, size, size]) -> [B, out, H, W], zeros beyond the border."""
    if native_code.in_use():
        return onednn_convolution.convolution(stride=1, has_bias=False)
    return ops.Conv2D(out_channels, size, pad_mode="pad", pad=size // 2)


class Conv2d(nn.Conv2d):
    """nn.Conv2d, [B, in, H, W] -> [B, out, H', W']; for inference its bias may become part of a fused kernel."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1, **options):
        super().__init__(in_channels, out_channels, size, stride, pad_mode="pad", padding=size // 2, **options)
        self.is_native = native_code.in_use()
        if self.is_native:
            self.convolve = onednn_convolution.convolution(stride, has_bias=False)
            self.convolve_with_bias = onednn_convolution.convolution(stride, has_bias=True)

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
        if fuses_kernels() and not self.training:
            return output + self.bias.reshape(1, -1, 1, 1)
        return self.bias_add(output, self.bias)
