"""Bilinear look-up in maps at given positions."""

from mindspore import Tensor, ops


def grid_sample(feature_map: Tensor, grid: Tensor) -> Tensor:
    """Sample a map bilinearly; -1 and 1 are the centres of its outermost pixels (align_corners=True).

    Args:
        feature_map: [B, C, H, W].
        grid: [B, h, w, 2] = (x, y) in [-1, 1].
    Returns:
        [B, C, h, w]. Gradients reach both arguments.
    """
    return ops.grid_sample(feature_map, grid, mode="bilinear", padding_mode="border", align_corners=True)
