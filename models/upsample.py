"""Doubling the size of feature maps [B, C, H, W], and bilinear resizing."""

from mindspore import Tensor, nn, ops


class NearestUpsample2(nn.Cell):
    """Nearest-neighbour x2: every pixel becomes a 2 x 2 block."""

    def construct(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        return ops.interpolate(features, size=(2 * height, 2 * width), mode="nearest")


class BilinearUpsample2(nn.Cell):
    """Bilinear x2 with pixel centres at half-integers (align_corners=False)."""

    def construct(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        return resize_bilinear(features, 2 * height, 2 * width)


def resize_bilinear(features: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resize of [B, C, H, W] to [B, C, height, width], align_corners=False."""
    return ops.interpolate(features, size=(height, width), mode="bilinear", align_corners=False)


def resize_nearest(features: Tensor, height: int, width: int) -> Tensor:
    """Nearest resize of [B, C, H, W]; output pixel i takes input pixel floor(i * H / height)."""
    return ops.interpolate(features, size=(height, width), mode="nearest")
