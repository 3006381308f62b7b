"""ResNet-50 on the MindSpore side of the weight conversion: the encoder of the CNet."""

import models  # noqa: F401, I001  settings that must precede the import of MindSpore

from models.resnet import ResNet50

__all__ = ["ResNet50"]
