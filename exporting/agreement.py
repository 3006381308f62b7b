"""Compare an exported file with the network that it was made from.

The warp rounds (u, v) to a surface cell and compares the mask with 0.5. If a pixel lies on the edge of a cell, float32
rounding can send it to the next one, and the mesh moves by a small step. The IUV images show which crops have such
pixels. The comparison of meshes and cameras leaves these crops out; iuv must agree on every crop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from exporting.network import OUTPUTS
from models.warp import FOREGROUND
from utils.errors import UserError

TOLERANCE = 1e-4


@dataclass(frozen=True)
class Agreement:
    """The largest difference of every output, the number of crops, and how many crops were left out."""

    differences: dict[str, float]
    crops: int
    left_out: int

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.1e}" for name, value in self.differences.items())
        remark = f"; {self.left_out} left out, a pixel of theirs lies on the edge of a cell" if self.left_out else ""
        return f"largest difference from the network on {self.crops} crops: {parts}{remark}"


def find_surface_cells(iuv: np.ndarray, warp_res: int) -> np.ndarray:
    """Find the surface cell of every pixel, -1 in the background: [B, 3, h, w] -> [B, h, w]."""
    column, row = (np.rint(iuv[:, channel] * np.float32(warp_res - 1)).clip(0, warp_res - 1) for channel in (1, 2))
    return np.where(iuv[:, 0] > FOREGROUND, row * warp_res + column, -1)


def compare(network: Callable, exported: Callable, crops: np.ndarray, batch_size: int, warp_res: int) -> Agreement:
    """Run both on crops [N, 3, S, S], N a multiple of batch_size, and measure their differences.

    network and exported take an image array [batch_size, 3, S, S] and return arrays in the order of OUTPUTS.
    Raises:
        UserError: they disagree.
    """
    batches = crops.reshape(-1, batch_size, *crops.shape[1:])
    expected, found = (
        [np.concatenate(outputs) for outputs in zip(*map(program, batches), strict=True)]
        for program in (network, exported)
    )
    cells = [find_surface_cells(outputs[OUTPUTS.index("iuv")], warp_res) for outputs in (expected, found)]
    same = (cells[0] == cells[1]).all(axis=(1, 2))
    differences = {}
    for name, mine, theirs in zip(OUTPUTS, expected, found, strict=True):
        if mine.shape != theirs.shape:
            raise UserError(f"the exported file gives {name} of shape {theirs.shape}, the network {mine.shape}.")
        chosen = np.ones_like(same) if name == "iuv" else same
        # if no crop can be compared, nothing is known: NaN fails below
        differences[name] = float(np.abs(mine - theirs)[chosen].max(initial=0.0)) if chosen.any() else float("nan")
    agreement = Agreement(differences, len(crops), int((~same).sum()))
    if not all(value <= TOLERANCE for value in differences.values()):
        raise UserError(f"the exported file disagrees, so it was not kept: {agreement}.")
    return agreement
