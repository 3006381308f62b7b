"""Bilinear look-up in maps at given positions."""

from mindspore import Tensor, nn, ops


class GridSample(nn.Cell):
    """(feature_map [B, C, H, W], grid [B, h, w, 2] = (x, y) in [-1, 1]) -> [B, C, h, w], sampled bilinearly.

    -1 and 1 are the centres of the outermost pixels (align_corners=True); beyond them the outermost pixels count.
    Gradients reach the map, not the grid.
    """

    def construct(self, feature_map: Tensor, grid: Tensor) -> Tensor:
        positions = ops.stop_gradient(grid)
        return ops.grid_sample(feature_map, positions, mode="bilinear", padding_mode="border", align_corners=True)
