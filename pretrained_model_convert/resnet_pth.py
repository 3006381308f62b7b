"""ResNet-50 in PyTorch with torchvision's names (version 1: stride in the 3x3 convolution), without classifier.

The PyTorch side of the weight conversion; needs torch, but not torchvision.
Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

import torch
from torch import nn

EXPANSION = 4


class Bottleneck(nn.Module):
    """[B, in, H, W] -> [B, 4 * channels, H / stride, W / stride]."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        out_channels = EXPANSION * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + identity)


class ResNet50(nn.Module):
    """Image [B, 3, H, W] -> (codes [B, 2048], features of strides 2, 4, 8, 16, 32).

    stem: channels of the first convolution, 64 in ResNet-50; all others follow in proportion.
    """

    def __init__(self, stem: int = 64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = self._stage(stem, stem, 3, 1)
        self.layer2 = self._stage(4 * stem, 2 * stem, 4, 2)
        self.layer3 = self._stage(8 * stem, 4 * stem, 6, 2)
        self.layer4 = self._stage(16 * stem, 8 * stem, 3, 2)

    @staticmethod
    def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
        first = Bottleneck(in_channels, channels, stride)
        return nn.Sequential(first, *(Bottleneck(EXPANSION * channels, channels) for _ in range(blocks - 1)))

    def forward(self, image: torch.Tensor):
        features = [self.relu(self.bn1(self.conv1(image)))]
        x = self.maxpool(features[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return x.mean((2, 3)), features
