"""The building blocks of both networks: normalisation, bottleneck, hourglass.

Parameter names (conv1..3, norm1..3, skip_conv, down_layers, up_layers) are those of the PyTorch
release, so that its checkpoints map by name.
"""

from mindspore import Tensor, nn, ops

from models import native_operators
from models.convolution import Conv2d
from models.group_norm import GroupNorm
from models.pooling import MaxPool2d
from models.resnet import Bottleneck
from models.upsample import BilinearUpsample2, NearestConv3x3, NearestUpsample2
from models.winograd import Conv3x3
from utils import native_code

GROUP_SIZE = 8  # channels per group of GroupNorm at full width


def make_norm(norm_type: str, channels: int, group_size: int = GROUP_SIZE) -> nn.Cell:
    """GroupNorm with groups of `group_size` channels ('GN') or BatchNorm ('BN') for [B, channels, H, W]."""
    if norm_type == "GN":
        return GroupNorm(channels // group_size, channels)
    if norm_type == "BN":
        return nn.BatchNorm2d(channels)
    raise ValueError(f"norm_type is {norm_type!r}, expected 'GN' or 'BN'")


def conv1x1(in_channels: int, out_channels: int) -> Conv2d:
    """[B, in, H, W] -> [B, out, H, W], every pixel by itself."""
    return Conv2d(in_channels, out_channels, 1, has_bias=True)


class ConvBottleNeck(nn.Cell):
    """[B, in, H, W] -> [B, out, H, W]: 1x1 to out/2, 3x3, 1x1 to out, each normalised, plus a skip."""

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__()
        middle = out_channels // 2
        self.conv1 = conv1x1(in_channels, middle)
        self.norm1 = make_norm(norm_type, middle, group_size)
        self.conv2 = Conv3x3(middle, middle, has_bias=True)
        self.norm2 = make_norm(norm_type, middle, group_size)
        self.conv3 = conv1x1(middle, out_channels)
        self.norm3 = make_norm(norm_type, out_channels, group_size)
        self.relu = nn.ReLU()
        self.fuses = norm_type == "GN" and native_code.in_use()
        if self.fuses:
            self.rectify_and_convolve = native_operators.rectified_convolution(self.norm1.groups)
            self.normalise_and_add = native_operators.residual_norm(self.norm3.groups)
        self.projects_skip = in_channels != out_channels
        self.reduces_with_skip = self.fuses and self.projects_skip and middle % native_operators.SPLIT_CHANNELS == 0
        if self.projects_skip:
            self.skip_conv = conv1x1(in_channels, out_channels)
        if self.reduces_with_skip:
            self.convolve_twice = native_operators.two_convolutions()

    def construct(self, features: Tensor) -> Tensor:
        reduced, skip = self.reduce(features)
        return self.expand(self.convolve(reduced), skip)

    def reduce(self, features: Tensor):
        """The linear part that looks at one pixel at a time: (output of conv1, skip)."""
        if self.reduces_with_skip:
            first, second = self.conv1, self.skip_conv
            return self.convolve_twice(features, first.weight, first.bias, second.weight, second.bias)
        skip = self.skip_conv(features) if self.projects_skip else features
        return self.conv1(features), skip

    def activate(self, reduced: Tensor) -> Tensor:
        """Output of conv1 -> input of the 3x3 convolution."""
        return self.relu(self.norm1(reduced))

    def convolve(self, reduced: Tensor) -> Tensor:
        """Output of conv1 -> output of the 3x3 convolution."""
        if not self.fuses:
            return self.conv2(self.activate(reduced))
        norm, conv = self.norm1, self.conv2
        return self.rectify_and_convolve(reduced, norm.gamma, norm.beta, conv.weight, conv.bias)[0]

    def expand(self, convolved: Tensor, skip: Tensor) -> Tensor:
        """Output of the 3x3 convolution -> output of the block."""
        norm, conv = self.norm2, self.conv3
        if not self.fuses:
            return self.relu(self.norm3(conv(self.relu(norm(convolved)))) + skip)
        out = self.rectify_and_convolve(convolved, norm.gamma, norm.beta, conv.weight, conv.bias)[0]
        return self.normalise_and_add(out, self.norm3.gamma, self.norm3.beta, skip)[0]


class NearestBottleNeck(nn.SequentialCell):
    """Nearest x2, then ConvBottleNeck: [B, in, H, W] -> [B, out, 2H, 2W].

    1x1 convolutions, normalisation and ReLU give the same for every copy of a pixel (a group's mean
    and variance do not change when each pixel is repeated four times), so they run before the
    repetition, on a quarter of the pixels; the 3x3 convolution repeats as it goes. Not with BatchNorm:
    its running variance is the unbiased one, which depends on the number of pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__(NearestUpsample2(), ConvBottleNeck(in_channels, out_channels, norm_type, group_size))
        self.reduces_first = norm_type == "GN"
        self.upsample_and_convolve = NearestConv3x3(out_channels // 2)
        if self[1].fuses:
            self.rectify_and_convolve = native_operators.rectified_transposed_convolution(
                self[1].norm1.groups, stride=2
            )

    def construct(self, features: Tensor) -> Tensor:
        upsample, bottleneck = self[0], self[1]
        if not self.reduces_first:
            return bottleneck(upsample(features))
        reduced, skip = bottleneck.reduce(features)
        return bottleneck.expand(self.convolve(reduced), upsample(skip))

    def convolve(self, reduced: Tensor) -> Tensor:
        """Output of conv1 -> output of the 3x3 convolution, of twice the size."""
        upsample, bottleneck = self[0], self[1]
        norm, conv = bottleneck.norm1, bottleneck.conv2
        if not bottleneck.fuses:
            return self.upsample_and_convolve(bottleneck.activate(reduced), conv.weight, conv.bias)
        if not self.upsample_and_convolve.is_worthwhile(reduced):
            return bottleneck.convolve(upsample(reduced))
        kernel = self.upsample_and_convolve.summed(conv.weight)
        convolved = self.rectify_and_convolve(reduced, norm.gamma, norm.beta, kernel)[0]
        return self.upsample_and_convolve.add_bias(convolved, conv.bias)


class BilinearBottleNeck(nn.SequentialCell):
    """Bilinear x2, then ConvBottleNeck: [B, in, H, W] -> [B, out, 2H, 2W].

    Both are linear and a bilinear pixel's weights sum to 1, so 1x1 convolutions, biases included, run
    before the interpolation.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__(BilinearUpsample2(), ConvBottleNeck(in_channels, out_channels, norm_type, group_size))

    def construct(self, features: Tensor) -> Tensor:
        upsample, bottleneck = self[0], self[1]
        reduced, skip = bottleneck.reduce(features)
        return bottleneck.expand(bottleneck.convolve(upsample(reduced)), upsample(skip))


class HourGlass(nn.Cell):
    """[B, C, H, W] -> [B, C, H, W] through `levels` halvings that double the channels, and back."""

    def __init__(self, channels: int, levels: int = 3, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__()
        widths = [channels * 2**level for level in range(levels + 1)]
        self.down_layers = nn.CellList(
            [
                nn.SequentialCell(ConvBottleNeck(fine, coarse, norm_type, group_size), MaxPool2d(2, 2))
                for fine, coarse in zip(widths, widths[1:], strict=False)
            ]
        )
        self.up_layers = nn.CellList(
            [
                NearestBottleNeck(coarse, fine, norm_type, group_size)
                for fine, coarse in zip(widths, widths[1:], strict=False)
            ]
        )
        self.norm = make_norm(norm_type, channels, group_size)

    def construct(self, features: Tensor) -> Tensor:
        stored = []
        for down in self.down_layers:
            stored.append(features)
            features = down(features)
        for level in range(len(stored) - 1, -1, -1):
            features = self.up_layers[level](features) + stored[level]
        return self.norm(features)


def zero_init_residual(network: nn.Cell) -> None:
    """Let every bottleneck of `network` start as its skip alone: scale of the last norm 0 (Goyal et al., 2017)."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, ConvBottleNeck):
            cell.norm3.gamma.set_data(ops.zeros_like(cell.norm3.gamma))
        elif isinstance(cell, Bottleneck):
            cell.bn3.gamma.set_data(ops.zeros_like(cell.bn3.gamma))
