"""ResNet-50 encoder that hands out the features of every stride (He et al., CVPR 2016).

Layout and names follow torchvision's version 1 (stride in the 3x3 convolution), without the
classifier.
"""

from mindspore import Tensor, nn
from mindspore.common.initializer import HeNormal

from models import native_operators
from models.batch_norm import track
from models.convolution import Conv2d
from models.pooling import MaxPool2d
from models.winograd import Conv3x3
from utils import native_code

STAGE_BLOCKS = (3, 4, 6, 3)
EXPANSION = 4
FEATURE_CHANNELS = (3, 64, 256, 512, 1024, 2048)  # of the features at stride 2**level


def _conv(in_channels: int, out_channels: int, size: int, stride: int = 1) -> nn.Conv2d:
    start = HeNormal(mode="fan_out", nonlinearity="relu")
    if (size, stride) == (3, 1):
        return Conv3x3(in_channels, out_channels, weight_init=start)
    return Conv2d(in_channels, out_channels, size, stride, weight_init=start)


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
        self.fuses = native_code.in_use()  # in training
        if self.fuses:
            self.rectify_and_halve = native_operators.rectified_convolution(None, stride, has_bias=False)
            self.rectify_and_convolve = native_operators.rectified_convolution(None, has_bias=False)
            self.normalise_and_add = native_operators.residual_norm(None)
        self.has_downsample = stride != 1 or in_channels != out_channels
        if self.has_downsample:
            self.downsample = nn.SequentialCell(
                _conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels)
            )

    def construct(self, features: Tensor) -> Tensor:
        skip = self.downsample(features) if self.has_downsample else features
        if self.fuses and self.training:
            return self.fused(self.conv1(features), skip)
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + skip)

    def fused(self, reduced: Tensor, skip: Tensor) -> Tensor:
        """Output of the first convolution -> output of the block, by compiled operators, in training."""
        bn1, bn2, bn3 = self.bn1, self.bn2, self.bn3
        strided, mean, deviation = self.rectify_and_halve(reduced, bn1.gamma, bn1.beta, self.conv2.weight)
        track(bn1, mean, deviation, reduced)
        out, mean, deviation = self.rectify_and_convolve(strided, bn2.gamma, bn2.beta, self.conv3.weight)
        track(bn2, mean, deviation, strided)
        found, mean, deviation = self.normalise_and_add(out, bn3.gamma, bn3.beta, skip)
        track(bn3, mean, deviation, out)
        return found


class ResNet50(nn.Cell):
    """Image [B, 3, H, W] -> (codes [B, 2048], features of strides 2, 4, 8, 16, 32)."""

    def __init__(self):
        super().__init__()
        self.conv1 = _conv(3, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = MaxPool2d(3, 2, padding=1)
        self.layer1 = self._stage(64, 64, STAGE_BLOCKS[0], 1)
        self.layer2 = self._stage(256, 128, STAGE_BLOCKS[1], 2)
        self.layer3 = self._stage(512, 256, STAGE_BLOCKS[2], 2)
        self.layer4 = self._stage(1024, 512, STAGE_BLOCKS[3], 2)

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
