"""The mannequin as an implicit surface: lofted limbs and torso, joined by smooth unions.

A loft is a stack of super-ellipses along one axis of the T-pose. Each has four radii, one to each side, so that calves
can bulge backwards and the chest forwards; both ends are half ellipsoids. Ellipsoids and round cones add the small
forms. Everything is in metres: x to the person's left, y above the floor, z forward. The field is evaluated at |x|, so
it is symmetric. Its values are negative inside and close to distances near the surface: f / |grad f|, the first-order
distance of an implicit function.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from synthetic.body.skeleton import FLOOR

_TINY = 1e-9
_TABLE_STEP = 0.001  # profiles are tabulated at 1 mm


@dataclass(frozen=True)
class Loft:
    """Super-ellipses along `axis` (0, 1 or 2); the other two axes follow in cyclic order, e.g. y -> (z, x).

    stations: rows (t, c1, c2, r1-, r1+, r2-, r2+): place along the axis, centre and radii in the plane.
    caps: heights of the half ellipsoids at the first and last station.
    """

    axis: int
    stations: tuple
    caps: tuple
    exponent: float = 2.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        t, first, second = (points[..., (self.axis + k) % 3] for k in range(3))
        table_t, table = _profile(self.stations)
        centre1, centre2, low1, high1, low2, high2 = (np.interp(t, table_t, column) for column in table.T)
        along = t - np.clip(t, table_t[0], table_t[-1])
        offset1, offset2 = first - centre1, second - centre2
        radius1 = np.where(offset1 > 0, high1, low1)
        radius2 = np.where(offset2 > 0, high2, low2)
        cap = np.where(along > 0, self.caps[1], self.caps[0])
        return _superellipsoid((offset1, offset2, along), (radius1, radius2, cap), self.exponent)


@dataclass(frozen=True)
class Ellipsoid:
    """The distance field of an ellipsoid: points [..., 3] -> [...], metres, negative inside."""

    centre: tuple
    radii: tuple

    def __call__(self, points: np.ndarray) -> np.ndarray:
        offsets = tuple(points[..., k] - self.centre[k] for k in range(3))
        return _superellipsoid(offsets, self.radii, 2.0)


@dataclass(frozen=True)
class RoundCone:
    """The space that a ball passes through as it moves from `start` to `end` and its radius changes linearly."""

    start: tuple
    end: tuple
    radii: tuple

    def __call__(self, points: np.ndarray) -> np.ndarray:
        start, axis = np.array(self.start), np.subtract(self.end, self.start)
        share = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
        distance = np.linalg.norm(points - start - share[..., None] * axis, axis=-1)
        return distance - (self.radii[0] + share * (self.radii[1] - self.radii[0]))


def _profile(stations: tuple) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(stations)
    t = np.linspace(rows[0, 0], rows[-1, 0], 2 + int((rows[-1, 0] - rows[0, 0]) / _TABLE_STEP))
    return t, PchipInterpolator(rows[:, 0], rows[:, 1:])(t)


def _superellipsoid(offsets, radii, exponent: float) -> np.ndarray:
    """First-order distance to sum |offset / radius|^exponent = 1."""
    ratios = [np.abs(offset / radius) for offset, radius in zip(offsets, radii, strict=True)]
    level = sum(ratio**exponent for ratio in ratios) ** (1 / exponent) + _TINY
    slopes = [ratio ** (exponent - 1) / radius for ratio, radius in zip(ratios, radii, strict=True)]
    gradient = np.sqrt(sum(slope * slope for slope in slopes)) / level ** (exponent - 1) + _TINY
    return (level - 1) / gradient


def smooth_union(first: np.ndarray, second: np.ndarray, radius: float) -> np.ndarray:
    """Union of two fields [...] whose seam has a fillet of about `radius` metres (quadratic smooth minimum)."""
    blend = np.maximum(radius - np.abs(first - second), 0.0) / radius
    return np.minimum(first, second) - 0.25 * radius * blend * blend


def smooth_cut(field: np.ndarray, tool: np.ndarray, radius: float) -> np.ndarray:
    """The field [...] of the body of `field` without that of `tool`, with a rounded rim of `radius` metres."""
    return -smooth_union(-field, tool, radius)


# Rows of vertical lofts: (y, z centre, x centre, back, front, inner, outer).
TORSO = Loft(
    axis=1,
    exponent=2.3,
    caps=(0.042, 0.030),
    stations=(
        (0.825, -0.005, 0.0, 0.090, 0.080, 0.118, 0.118),
        (0.830, -0.005, 0.0, 0.090, 0.080, 0.118, 0.118),
        (0.900, -0.005, 0.0, 0.100, 0.092, 0.155, 0.155),
        (0.970, 0.000, 0.0, 0.098, 0.096, 0.154, 0.154),
        (1.070, 0.003, 0.0, 0.080, 0.088, 0.134, 0.134),
        (1.160, 0.003, 0.0, 0.088, 0.094, 0.139, 0.139),
        (1.260, 0.000, 0.0, 0.102, 0.100, 0.157, 0.157),
        (1.340, -0.005, 0.0, 0.100, 0.090, 0.162, 0.162),
        (1.395, -0.010, 0.0, 0.078, 0.066, 0.125, 0.125),
        (1.430, -0.012, 0.0, 0.058, 0.050, 0.075, 0.075),
    ),
)
LEG = Loft(
    axis=1,
    caps=(0.03, 0.10),
    stations=(
        (0.065, -0.020, 0.112, 0.036, 0.040, 0.033, 0.034),
        (0.120, -0.020, 0.112, 0.034, 0.036, 0.030, 0.030),
        (0.200, -0.016, 0.110, 0.041, 0.037, 0.036, 0.037),
        (0.280, -0.012, 0.107, 0.056, 0.040, 0.045, 0.046),
        (0.350, -0.008, 0.104, 0.066, 0.044, 0.050, 0.053),
        (0.420, -0.003, 0.101, 0.058, 0.047, 0.049, 0.051),
        (0.485, 0.004, 0.100, 0.050, 0.053, 0.051, 0.050),
        (0.540, 0.005, 0.099, 0.056, 0.058, 0.055, 0.055),
        (0.620, 0.006, 0.097, 0.066, 0.070, 0.064, 0.066),
        (0.720, 0.004, 0.094, 0.076, 0.080, 0.074, 0.078),
        (0.800, 0.000, 0.091, 0.086, 0.086, 0.080, 0.085),
        (0.860, -0.003, 0.087, 0.087, 0.085, 0.077, 0.086),
        (0.890, -0.003, 0.085, 0.085, 0.083, 0.074, 0.085),
        (0.900, -0.003, 0.085, 0.085, 0.083, 0.074, 0.085),
    ),
)
# Rows of the arm: (x, y centre, z centre, below, above, back, front); palms face down.
ARM = Loft(
    axis=0,
    caps=(0.04, 0.03),
    stations=(
        (0.130, 1.380, -0.012, 0.058, 0.045, 0.056, 0.052),
        (0.185, 1.384, -0.012, 0.060, 0.054, 0.055, 0.055),
        (0.250, 1.384, -0.014, 0.053, 0.050, 0.049, 0.050),
        (0.330, 1.383, -0.017, 0.047, 0.044, 0.045, 0.047),
        (0.400, 1.382, -0.019, 0.041, 0.039, 0.041, 0.041),
        (0.455, 1.382, -0.020, 0.037, 0.037, 0.040, 0.038),
        (0.520, 1.381, -0.018, 0.038, 0.038, 0.041, 0.044),
        (0.600, 1.380, -0.016, 0.032, 0.032, 0.034, 0.037),
        (0.680, 1.380, -0.014, 0.023, 0.023, 0.028, 0.028),
        (0.710, 1.380, -0.013, 0.021, 0.021, 0.028, 0.029),
    ),
)
PALM = Loft(
    axis=0,
    caps=(0.02, 0.014),
    exponent=2.3,
    stations=(
        (0.705, 1.380, -0.013, 0.020, 0.020, 0.026, 0.028),
        (0.735, 1.379, -0.011, 0.020, 0.016, 0.034, 0.036),
        (0.765, 1.378, -0.010, 0.018, 0.015, 0.039, 0.040),
        (0.785, 1.378, -0.010, 0.014, 0.014, 0.039, 0.040),
    ),
)
# Rows of the foot: (z, x centre, y centre, inner, outer, below, above).
FOOT = Loft(
    axis=2,
    caps=(0.032, 0.030),
    exponent=2.6,
    stations=(
        (-0.045, 0.112, 0.042, 0.029, 0.029, 0.042, 0.045),
        (0.000, 0.113, 0.042, 0.031, 0.032, 0.042, 0.050),
        (0.050, 0.116, 0.036, 0.035, 0.035, 0.035, 0.040),
        (0.100, 0.120, 0.026, 0.042, 0.043, 0.026, 0.026),
        (0.140, 0.123, 0.020, 0.043, 0.042, 0.020, 0.018),
        (0.160, 0.124, 0.018, 0.038, 0.036, 0.018, 0.014),
    ),
)
HEAD = Loft(
    axis=1,
    caps=(0.016, 0.092),
    stations=(
        (1.494, 0.030, 0.0, 0.030, 0.048, 0.028, 0.028),
        (1.520, 0.022, 0.0, 0.055, 0.063, 0.048, 0.048),
        (1.550, 0.012, 0.0, 0.080, 0.077, 0.060, 0.060),
        (1.575, 0.005, 0.0, 0.094, 0.085, 0.067, 0.067),
        (1.596, 0.001, 0.0, 0.100, 0.089, 0.072, 0.072),
        (1.606, 0.000, 0.0, 0.101, 0.090, 0.073, 0.073),
        (1.608, 0.000, 0.0, 0.101, 0.090, 0.073, 0.073),
    ),
)
NECK = Loft(
    axis=1,
    caps=(0.06, 0.02),
    stations=(
        (1.400, -0.018, 0.0, 0.056, 0.054, 0.062, 0.062),
        (1.460, -0.010, 0.0, 0.052, 0.050, 0.053, 0.053),
        (1.540, 0.000, 0.0, 0.055, 0.050, 0.052, 0.052),
    ),
)
TRAPEZIUS = RoundCone((0.035, 1.440, -0.022), (0.165, 1.395, -0.014), (0.040, 0.042))
CHEST = Ellipsoid((0.074, 1.288, 0.058), (0.076, 0.060, 0.036))
SHOULDER_BLADE = Ellipsoid((0.085, 1.320, -0.075), (0.060, 0.075, 0.030))
BUTTOCK = Ellipsoid((0.070, 0.885, -0.050), (0.080, 0.095, 0.072))
NOSE = RoundCone((0.0, 1.606, 0.084), (0.0, 1.574, 0.096), (0.006, 0.011))
CHIN = Ellipsoid((0.0, 1.502, 0.066), (0.020, 0.016, 0.018))
LIPS = Ellipsoid((0.0, 1.541, 0.077), (0.026, 0.009, 0.013))
EYE_SOCKET = Ellipsoid((0.032, 1.604, 0.100), (0.021, 0.013, 0.020))
EAR = Ellipsoid((0.074, 1.592, -0.006), (0.010, 0.030, 0.018))
HEEL = Ellipsoid((0.112, 0.045, -0.045), (0.031, 0.044, 0.034))
THUMB = (
    RoundCone((0.725, 1.374, 0.012), (0.765, 1.368, 0.044), (0.017, 0.013)),
    RoundCone((0.765, 1.368, 0.044), (0.808, 1.366, 0.056), (0.013, 0.0095)),
)
# (knuckle z, tip x, tip z, radius at the knuckle); index, middle, ring, little finger
_FINGERS = ((0.0200, 0.866, 0.0205, 0.0118), (0.0, 0.880, 0.0015, 0.0118), (-0.0195, 0.870, -0.0180, 0.0115),
            (-0.0380, 0.845, -0.0370, 0.0105))  # fmt: skip
FINGERS = tuple(RoundCone((0.780, 1.379, z), (x, 1.370, tip_z), (r, 0.85 * r)) for z, x, tip_z, r in _FINGERS)


def _torso(points):
    field = smooth_union(TORSO(points), CHEST(points), 0.05)
    field = smooth_union(field, SHOULDER_BLADE(points), 0.05)
    field = smooth_union(field, TRAPEZIUS(points), 0.05)
    return smooth_union(field, BUTTOCK(points), 0.05)


def _head(points):
    field = smooth_union(HEAD(points), CHIN(points), 0.015)
    field = smooth_cut(field, EYE_SOCKET(points), 0.015)
    field = smooth_union(field, LIPS(points), 0.008)
    field = smooth_union(field, NOSE(points), 0.012)
    return smooth_union(field, EAR(points), 0.008)


def _arm(points):
    field = smooth_union(ARM(points), PALM(points), 0.02)
    thumb = smooth_union(THUMB[0](points), THUMB[1](points), 0.006)
    field = smooth_union(field, thumb, 0.012)
    fingers = FINGERS[0](points)
    for finger in FINGERS[1:]:
        fingers = smooth_union(fingers, finger(points), 0.006)
    return smooth_union(field, fingers, 0.012)


def _leg(points):
    foot = smooth_union(FOOT(points), HEEL(points), 0.02)
    return smooth_union(LEG(points), foot, 0.035)


def body_field(points: np.ndarray) -> np.ndarray:
    """Signed distance to the mannequin's skin, first order, metres, negative inside.

    Args:
        points: [..., 3] metres, body frame at rest.
    Returns:
        [...] metres.
    """
    points = np.stack([np.abs(points[..., 0]), points[..., 1] - FLOOR, points[..., 2]], axis=-1)
    field = smooth_union(_torso(points), NECK(points), 0.04)
    field = smooth_union(field, _head(points), 0.02)
    field = smooth_union(field, _leg(points), 0.05)
    return smooth_union(field, _arm(points), 0.04)


def field_gradient(field, points: np.ndarray, step: float = 2e-4) -> np.ndarray:
    """[N, 3] central differences of `field` at points [N, 3]; `step` in metres."""
    shifts = np.concatenate([np.eye(3), -np.eye(3)]) * step
    values = field(points[None] + shifts[:, None])
    return ((values[:3] - values[3:]) / (2 * step)).T
