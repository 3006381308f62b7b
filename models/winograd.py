"""3x3 convolutions with fewer products (Winograd 1980; Lavin & Gray, "Fast algorithms for CNNs", CVPR 2016).

Along one axis a tile of the output is A [(G w) * (D x)]: w the three weights, x the pixels that the tile sees, * one
product each, summed over the channels; the matrices hold sums and differences. Two axes take the Kronecker products.
Rounding is that of the plain convolution, not more: the entries are 0, 1, -1 and 1/2.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from models.convolution import Conv2d
from utils import native_code

# Winograd's F(2, 3): two outputs from four pixels, 4 products instead of 6, in two dimensions 16 instead of 36
PLAIN_PIXELS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
PLAIN_WEIGHTS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
PLAIN_OUTPUTS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
# The same for an image enlarged by nearest x2. Pixel x0 becomes two, whose neighbours come from x-1 and x1:
# y0 = w0 x-1 + (w1 + w2) x0 = w0 (x-1 - x0) + (w0 + w1 + w2) x0, and y1 likewise. 9 products instead of 36.
NEAREST_PIXELS = np.array([[1, -1, 0], [0, 1, 0], [0, -1, 1]])
NEAREST_WEIGHTS = np.array([[1, 0, 0], [1, 1, 1], [0, 0, 1]])
NEAREST_OUTPUTS = np.array([[1, 1, 0], [0, 1, 1]])


@ops.constexpr
def _tiling(pixels: tuple, size: int, stride: int) -> Tensor:
    """[products * tiles, size]: D x of every tile along an axis of `size` pixels; zeros beyond the border."""
    taps = np.array(pixels)
    tap = np.arange(size) - stride * np.arange(size // stride)[:, None] + 1  # which one meets a pixel, by tile
    inside = (tap >= 0) & (tap < taps.shape[1])
    rows = np.where(inside, taps[:, np.clip(tap, 0, taps.shape[1] - 1)], 0)
    return Tensor(rows.reshape(-1, size).astype(np.float32))


class FewProducts(nn.Cell):
    """features [B, C, H, W], weight [out, C, 3, 3] of a 3x3 convolution, padding 1 -> [B, out, H', W'].

    enlarges: the convolution is of the nearest x2 of the features, which never exists, H' = 2H; otherwise H and W
    must be even, H' = H.

    For inference, and where nothing is compiled: native/winograd.cc has the first of the two forms, for training too.
    With MindSpore's operators a training step took as long with it as without (0.96), 0.7 GB more memory and a third
    more time to compile.
    """

    # Measured on a CPU with 4 images: 0.4 to 0.9 of the plain convolution's time; none is saved with 256 channels and
    # a side of 64 pixels, or with 128 channels.
    FEWEST_CHANNELS, LARGEST_SIDE = 256, 32

    def __init__(self, enlarges: bool):
        super().__init__()
        plain, nearest = (
            (PLAIN_PIXELS, PLAIN_WEIGHTS, PLAIN_OUTPUTS),
            (NEAREST_PIXELS, NEAREST_WEIGHTS, NEAREST_OUTPUTS),
        )
        pixels, weights, outputs = nearest if enlarges else plain
        self.products = len(pixels)
        self.stride = 1 if enlarges else 2
        # GPU libraries and native/ have their own
        self.is_wanted = ms.get_context("device_target") == "CPU" and not native_code.in_use()
        self.pixels = tuple(map(tuple, pixels.tolist()))
        self.of_weights = Tensor(np.kron(weights, weights).astype(np.float32))
        self.of_outputs = Tensor(np.kron(outputs, outputs).astype(np.float32))
        self.multiply = ops.MatMul()
        self.multiply_rows = ops.MatMul(transpose_b=True)
        self.multiply_each = ops.BatchMatMul()
        self.multiply_channels = ops.BatchMatMul(transpose_b=True)

    def pays(self, channels: int, height: int, width: int) -> bool:
        """Whether it can be used on such a map, and saves time."""
        fits = height % self.stride == 0 and width % self.stride == 0
        return self.is_wanted and fits and channels >= self.FEWEST_CHANNELS and max(height, width) <= self.LARGEST_SIDE

    def construct(self, features: Tensor, weight: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        out, dtype, count = weight.shape[0], features.dtype, self.products
        tall, wide = height // self.stride, width // self.stride
        along_height = _tiling(self.pixels, height, self.stride).astype(dtype)
        along_width = _tiling(self.pixels, width, self.stride).astype(dtype)
        along_width = ops.broadcast_to(along_width[None], (count * tall, count * wide, width))

        kernels = self.multiply_rows(self.of_weights.astype(dtype), weight.reshape(-1, 9)).reshape(-1, out, channels)
        pixels = features.transpose(2, 3, 0, 1).reshape(height, -1)
        pixels = self.multiply(along_height, pixels).reshape(count * tall, width, -1)
        pixels = self.multiply_each(along_width, pixels).reshape(count, tall, count, -1)
        pixels = pixels.transpose(0, 2, 1, 3).reshape(count * count, -1, channels)  # rows: tile, sample
        products = self.multiply_channels(pixels, kernels).reshape(count * count, -1)
        outputs = self.multiply(self.of_outputs.astype(dtype), products).reshape(2, 2, tall, wide, batch, out)
        return outputs.transpose(4, 5, 2, 0, 3, 1).reshape(batch, out, 2 * tall, 2 * wide)


class Conv3x3(Conv2d):
    """[B, in, H, W] -> [B, out, H, W], zeros beyond the border; for inference with fewer products where that pays."""

    def __init__(self, in_channels: int, out_channels: int, **options):
        super().__init__(in_channels, out_channels, 3, **options)
        self.few_products = FewProducts(enlarges=False)

    def construct(self, features: Tensor) -> Tensor:
        channels, height, width = features.shape[1:]
        if self.training or not self.few_products.pays(channels, height, width):
            return super().construct(features)
        return self.with_bias(self.few_products(features, self.weight))
