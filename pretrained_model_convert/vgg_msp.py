"""The convolutions of VGG-16 in MindSpore, numbered as torchvision numbers them.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks", ICLR 2015, configuration D.
"""

import models  # noqa: F401, I001  settings that must precede the import of MindSpore

from mindspore import Tensor, nn

# channels of the convolutions of each of the five blocks
BLOCKS = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)


class VGG16(nn.Cell):
    """Image [B, 3, H, W] -> features [B, 512, H / 32, W / 32]."""

    def __init__(self, batch_norm: bool = False):
        super().__init__()
        cells, channels = [], 3
        for block in BLOCKS:
            for width in block:
                cells.append(nn.Conv2d(channels, width, 3, pad_mode="pad", padding=1, has_bias=True))
                cells += [nn.BatchNorm2d(width)] if batch_norm else []
                cells.append(nn.ReLU())
                channels = width
            cells.append(nn.MaxPool2d(2, 2))
        self.features = nn.SequentialCell(cells)

    def construct(self, image: Tensor) -> Tensor:
        return self.features(image)
