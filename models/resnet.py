"""ResNet-50 encoder that hands out the features of every stride (He et al., CVPR 2016).

Layout and names follow torchvision's version 1 (stride in the 3x3 convolution), without the
classifier.
"""

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal

from models.pooling import MaxPool2d

STAGE_BLOCKS = (3, 4, 6, 3)
EXPANSION = 4
STEM_CHANNELS = 64
LAST_LEVEL = 5  # the encoder ends at stride 2**5


def feature_channels(level: int, width: float = 1.0) -> int:
    """Channels of the features at stride 2**level, level 1 to 5, of an encoder with `width` times the channels."""
    stem = int(STEM_CHANNELS * width)
    return stem if level == 1 else EXPANSION * stem * 2 ** (level - 2)


def _conv(in_channels: int, out_channels: int, size: int, stride: int = 1) -> nn.Conv2d:
    start = HeNormal(mode="fan_out", nonlinearity="relu")
    return nn.Conv2d(in_channels, out_channels, size, stride, pad_mode="pad", padding=size // 2, weight_init=start)


class Bottleneck(nn.Cell):
    """1x1, 3x3 (stride), 1x1 to 4 x channels, each with BatchNorm, plus a skip."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        out_channels = EXPANSION * channels
        self.conv1 = _conv(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv(channels, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.has_downsample = stride != 1 or in_channels != out_channels
        if self.has_downsample:
            self.downsample = nn.SequentialCell(
                _conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels)
            )

    def construct(self, features: Tensor) -> Tensor:
        skip = self.downsample(features) if self.has_downsample else features
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + skip)


class ResNet50(nn.Cell):
    """Image [B, 3, H, W] -> (codes [B, 2048], features of strides 2, 4, 8, 16, 32).

    Args:
        width: scales all channel counts, those of the codes too; 1 is ResNet-50.
    """

    def __init__(self, width: float = 1.0):
        super().__init__()
        self.width = width
        stem = feature_channels(1, width)
        self.conv1 = _conv(3, stem, 7, 2)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU()
        self.maxpool = MaxPool2d(3, 2, padding=1)
        self.layer1 = self._stage(stem, stem, STAGE_BLOCKS[0], 1)
        self.layer2 = self._stage(4 * stem, 2 * stem, STAGE_BLOCKS[1], 2)
        self.layer3 = self._stage(8 * stem, 4 * stem, STAGE_BLOCKS[2], 2)
        self.layer4 = self._stage(16 * stem, 8 * stem, STAGE_BLOCKS[3], 2)

    @staticmethod
    def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.SequentialCell:
        rest = [Bottleneck(EXPANSION * channels, channels, 1) for _ in range(blocks - 1)]
        return nn.SequentialCell(Bottleneck(in_channels, channels, stride), *rest)

    def construct(self, image: Tensor):
        stride2 = self.relu(self.bn1(self.conv1(image)))
        stride4 = self.layer1(self.maxpool(stride2))
        stride8 = self.layer2(stride4)
        stride16 = self.layer3(stride8)
        stride32 = self.layer4(stride16)
        codes = stride32.mean((2, 3))
        return codes, (stride2, stride4, stride8, stride16, stride32)
