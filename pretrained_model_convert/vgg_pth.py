"""The convolutions of VGG-16 in PyTorch with torchvision's names, with and without BatchNorm.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks", ICLR 2015, configuration D.
"""

import torch
from torch import nn

LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")


class VGG16(nn.Module):
    """Image [B, 3, H, W] -> features [B, 512, H / 32, W / 32]; layers are numbered as `features.N`."""

    def __init__(self, batch_norm: bool = False):
        super().__init__()
        layers, channels = [], 3
        for width in LAYERS:
            if width == "pool":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        self.features = nn.Sequential(*layers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.features(image)
