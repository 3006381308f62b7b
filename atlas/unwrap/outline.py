"""The outline of a boundary-free body atlas: where the border of the flattened half may lie.

The left half of the atlas is bounded by the mirror axis u = 0.5, on which the front midline lies,
and by a smooth convex curve that follows the margins of the unit square and leaves a gap between
the legs. Because the curve is convex, a map without flipped triangles is injective.
"""

from dataclasses import dataclass

import numpy as np

AXIS = 0.5  # u of the mirror axis
MARGIN = 0.02  # the atlas keeps this distance from the border of the unit square
SHARPNESS = 14.0  # exponent of the outline's gauge: the larger, the squarer its corners
BULGE = 0.006  # how far a side of the outline bends outward over half its length
CROTCH_V = 0.58  # v at which the legs part, on the axis
LEG_GAP = 0.07  # distance from the axis to the legs' seam at the lower margin


@dataclass(frozen=True)
class Outline:
    """The left border of the atlas: a smooth strictly convex curve from the axis below to the axis above.

    It is the unit line of a gauge: the p-norm of the gauges of four large discs that touch the lower
    margin, the left margin, the upper margin and the line of the legs' seam.
    """

    centre: np.ndarray  # [2], on the axis
    disc_centres: np.ndarray  # [4, 2], relative to the centre
    disc_radii: np.ndarray  # [4]

    def point(self, angle: np.ndarray) -> np.ndarray:
        """Points [N, 2] at angles [N] from 0 (straight down, the crotch) over left to pi (up, the crown)."""
        direction = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
        along = direction @ self.disc_centres.T
        reach = along + np.sqrt(along**2 + self.disc_radii**2 - (self.disc_centres**2).sum(axis=1))
        radius = (reach**-SHARPNESS).sum(axis=-1) ** (-1 / SHARPNESS)
        return self.centre + radius[:, None] * direction

    def area(self) -> float:
        """Area between the curve and the axis."""
        u, v = self.point(np.linspace(0, np.pi, 2001)).T
        return float(np.abs((u * np.roll(v, -1) - v * np.roll(u, -1)).sum()) / 2)

    def tangent(self, angle: np.ndarray) -> np.ndarray:
        """Derivative [N, 2] of the point by the angle (central differences of a smooth curve)."""
        step = 1e-6
        return (self.point(angle + step) - self.point(angle - step)) / (2 * step)


def body_outline(crotch_v: float = CROTCH_V, leg_gap: float = LEG_GAP) -> Outline:
    """The outline of the left half of a body atlas; the legs part at v = crotch_v."""
    centre = np.array([AXIS, crotch_v / 2 + MARGIN / 2])
    half_width, low, high = AXIS - MARGIN, 1 - MARGIN, MARGIN
    slope = np.array([low - crotch_v, leg_gap]) / np.hypot(low - crotch_v, leg_gap)  # normal of the seam's line
    # touching point, outward normal and half length of each side
    sides = [
        ((AXIS, high), (0, -1), half_width),
        ((MARGIN, 0.5), (-1, 0), 0.5 - MARGIN),
        ((AXIS - half_width / 2, low), (0, 1), half_width / 2),
        ((AXIS - leg_gap / 2, (low + crotch_v) / 2), tuple(slope), half_width),
    ]
    radii = np.array([length**2 / (2 * BULGE) for _, _, length in sides])
    touching = np.array([point for point, _, _ in sides]) - centre
    normals = np.array([normal for _, normal, _ in sides], dtype=np.float64)
    return Outline(centre, touching - radii[:, None] * normals, radii)
