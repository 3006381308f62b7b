"""The warp between the two networks: features move from the image to the body surface (Zeng et al., CVPR 2020, 3.2)."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from models.segment_sum import segment_sum

FOREGROUND = 0.5  # a pixel belongs to the body where its mask is above
COUNT_EPSILON = 1e-8
POSITION_CHANNELS = 3  # pixel x, pixel y, "cell was hit"


def pixel_positions(height: int, width: int) -> np.ndarray:
    """[2, height, width] float32: normalised x and y of every pixel, 2 * i / (n - 1) - 1."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([x, y]).astype(np.float32)


def warp_feature(dp_out: Tensor, feature_map: Tensor, uv_res: int) -> Tensor:
    """Carry image features to the body surface.

    Each foreground pixel (mask > 0.5) adds its features and its normalised position to the
    surface cell that its (u, v) names; a cell holds the mean of what it received. Gradients reach
    the features, not (u, v); background pixels contribute nothing. Half precision is computed in
    float32: in float16, count + 1e-8 is 0 for an empty cell, and cell numbers above 2048 are rounded.

    Args:
        dp_out: [B, 3, h, w] = (mask, u, v), u and v in [0, 1].
        feature_map: [B, C, h, w].
        uv_res: R, cells a side.
    Returns:
        [B, C + 3, R, R] of the type of feature_map: features, pixel x, pixel y, 1 where any pixel landed.
    """
    batch, channels, height, width = feature_map.shape
    cells = uv_res * uv_res
    mask, u, v = ops.stop_gradient(dp_out).astype(ms.float32).reshape(batch, 3, height * width).swapaxes(0, 1)
    column = ops.round(u * (uv_res - 1)).clip(0, uv_res - 1).astype(ms.int32)
    row = ops.round(v * (uv_res - 1)).clip(0, uv_res - 1).astype(ms.int32)
    first_cell = Tensor(np.arange(batch)[:, None] * cells, ms.int32)
    cell = row * uv_res + column + first_cell
    # background pixels go to one spare cell behind the last, which is cut off
    spare = batch * cells
    cell = ops.select(mask > FOREGROUND, cell, ops.full_like(cell, spare)).reshape(-1)

    positions = Tensor(pixel_positions(height, width).reshape(2, -1).T)
    positions = ops.tile(positions, (batch, 1))
    pixels = feature_map.astype(ms.float32).transpose(0, 2, 3, 1).reshape(-1, channels)
    ones = ops.ones((batch * height * width, 1), ms.float32)
    pixels = ops.concat([pixels, positions, ones], 1)
    sums = segment_sum(pixels, cell, ops.zeros((spare + 1, channels + POSITION_CHANNELS), ms.float32))[:spare]

    count = ops.stop_gradient(sums[:, -1:])
    mean = sums[:, :-1] / (count + COUNT_EPSILON)
    surface = ops.concat([mean, (count > 0).astype(mean.dtype)], 1)
    surface = surface.reshape(batch, uv_res, uv_res, channels + POSITION_CHANNELS).transpose(0, 3, 1, 2)
    return surface.astype(feature_map.dtype)


class Warp(nn.Cell):
    """warp_feature as a layer: (dp_out, feature_map) -> surface of `side` cells a side."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def construct(self, dp_out: Tensor, feature_map: Tensor) -> Tensor:
        return warp_feature(dp_out, feature_map, self.side)
