"""The blocks of both networks: bottlenecks, at one size or with upsampling, and the hourglass.

Parameter names (conv1..3, norm1..3, skip_conv, down_layers, up_layers) are those of the PyTorch release, so that
its checkpoints map by name.
"""

from mindspore import Tensor, nn

from models.group_norm import GroupNorm
from models.pooling import MaxPool2d
from models.upsample import BilinearUpsample2, NearestConv3x3, NearestUpsample2

GROUP_SIZE = 8  # channels per group of GroupNorm at full width


def make_norm(norm_type: str, channels: int, group_size: int = GROUP_SIZE) -> nn.Cell:
    """GroupNorm with groups of `group_size` channels ('GN') or BatchNorm ('BN') for [B, channels, H, W]."""
    if norm_type == "GN":
        return GroupNorm(channels // group_size, channels)
    if norm_type == "BN":
        return nn.BatchNorm2d(channels)
    raise ValueError(f"norm_type is {norm_type!r}, expected 'GN' or 'BN'")


def conv1x1(in_channels: int, out_channels: int) -> nn.Conv2d:
    """[B, in, H, W] -> [B, out, H, W], every pixel by itself."""
    return nn.Conv2d(in_channels, out_channels, 1, has_bias=True)


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """[B, in, H, W] -> [B, out, H, W], with zeros beyond the border."""
    return nn.Conv2d(in_channels, out_channels, 3, pad_mode="pad", padding=1, has_bias=True)


class ConvBottleNeck(nn.Cell):
    """[B, in, H, W] -> [B, out, H, W]: 1x1 to out/2, 3x3, 1x1 to out, each normalised, plus a skip."""

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__()
        middle = out_channels // 2
        self.conv1 = conv1x1(in_channels, middle)
        self.norm1 = make_norm(norm_type, middle, group_size)
        self.conv2 = conv3x3(middle, middle)
        self.norm2 = make_norm(norm_type, middle, group_size)
        self.conv3 = conv1x1(middle, out_channels)
        self.norm3 = make_norm(norm_type, out_channels, group_size)
        self.relu = nn.ReLU()
        self.projects_skip = in_channels != out_channels
        if self.projects_skip:
            self.skip_conv = conv1x1(in_channels, out_channels)

    def construct(self, features: Tensor) -> Tensor:
        reduced, skip = self.reduce(features)
        return self.expand(self.convolve(reduced), skip)

    def reduce(self, features: Tensor):
        """The linear part that looks at one pixel at a time: (output of conv1, skip)."""
        skip = self.skip_conv(features) if self.projects_skip else features
        return self.conv1(features), skip

    def convolve(self, reduced: Tensor) -> Tensor:
        """Output of conv1 -> output of conv2."""
        return self.conv2(self.relu(self.norm1(reduced)))

    def expand(self, convolved: Tensor, skip: Tensor) -> Tensor:
        """Output of conv2 -> output of the block."""
        out = self.conv3(self.relu(self.norm2(convolved)))
        return self.relu(self.norm3(out) + skip)


class NearestBottleNeck(nn.SequentialCell):
    """Nearest x2, then ConvBottleNeck: [B, in, H, W] -> [B, out, 2H, 2W].

    With GroupNorm everything before the 3x3 convolution runs before the repetition, on a quarter of the pixels: it
    looks at one pixel at a time, and a group's mean and variance do not change when each pixel is repeated four
    times. BatchNorm's running variance does, by the number of pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_type: str = "GN", group_size: int = GROUP_SIZE):
        super().__init__(NearestUpsample2(), ConvBottleNeck(in_channels, out_channels, norm_type, group_size))
        self.reduces_first = norm_type == "GN"
        self.upsample_and_convolve = NearestConv3x3(out_channels // 2)

    def construct(self, features: Tensor) -> Tensor:
        upsample, bottleneck = self[0], self[1]
        if not self.reduces_first:
            return bottleneck(upsample(features))
        reduced, skip = bottleneck.reduce(features)
        return bottleneck.expand(self.convolve(reduced), upsample(skip))

    def convolve(self, reduced: Tensor) -> Tensor:
        """Output of conv1 -> output of conv2, of twice the size."""
        norm, conv = self[1].norm1, self[1].conv2
        return self.upsample_and_convolve(self[1].relu(norm(reduced)), conv.weight, conv.bias)


class BilinearBottleNeck(nn.SequentialCell):
    """Bilinear x2, then ConvBottleNeck: [B, in, H, W] -> [B, out, 2H, 2W].

    The 1x1 convolutions, biases included, run before the interpolation: both are linear, and the weights of a
    bilinear pixel sum to 1.
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
        steps = list(zip(widths, widths[1:], strict=False))
        self.down_layers = nn.CellList(
            [nn.SequentialCell(ConvBottleNeck(*step, norm_type, group_size), MaxPool2d(2, 2)) for step in steps]
        )
        self.up_layers = nn.CellList([NearestBottleNeck(coarse, fine, norm_type, group_size) for fine, coarse in steps])
        self.norm = make_norm(norm_type, channels, group_size)

    def construct(self, features: Tensor) -> Tensor:
        stored = []
        for down in self.down_layers:
            stored.append(features)
            features = down(features)
        for level in range(len(stored) - 1, -1, -1):
            features = self.up_layers[level](features) + stored[level]
        return self.norm(features)
