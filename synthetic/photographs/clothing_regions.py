"""Where clothes and hair lie on the rest body: how far a point lies inside the border of each, in metres.

A positive value is inside, a negative one outside. Painting asks for the sign; what stands off the body rises from the
border inwards.
"""

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit

# height of the hairline above the eyes, in distances from the eyes to the crown, by how far a place of the head faces
# forwards: -1 nape, 0 ear, 1 forehead
_FACING = (-1.0, -0.35, -0.12, 0.22, 0.42, 0.62, 1.0)
HAIRLINES = {
    "short": (-0.62, -0.55, -0.20, -0.18, 0.22, 0.50, 0.56),
    "buzz": (-0.50, -0.42, -0.05, -0.12, 0.26, 0.54, 0.60),
    "receding": (-0.62, -0.55, -0.20, -0.15, 0.30, 0.80, 0.92),
    "medium": (-0.80, -0.70, -0.45, -0.30, 0.16, 0.42, 0.52),
    "long": (-0.80, -0.70, -0.45, -0.30, 0.14, 0.46, 0.58),
    "tail": (-0.72, -0.62, -0.25, -0.20, 0.20, 0.50, 0.58),
    "cap": (-0.62, -0.55, -0.20, -0.18, 0.2, 0.24, 0.24),
}
COVERS_EARS = ("medium", "long")


def top_reach(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie inside the shirt, from its hem, the ends of its sleeves and its neckline."""
    across, height = np.abs(rest[:, 0]), rest[:, 1] - marks.neck[1]
    forward = rest[:, 2] - marks.neck[2]
    edge = {"crew": -0.005, "v": 0.0, "wide": -0.03, "high": 0.035}[outfit.neckline] - 0.35 * forward
    open_by = height - edge
    if outfit.neckline == "v":
        open_by = np.maximum(open_by, np.where(forward > 0, (height + 0.13 - 2.2 * across) / 2.4, -1))
    if outfit.neckline == "wide":
        open_by = np.maximum(open_by, np.minimum(height + 0.06, 0.09 - across))
    # the neck is narrow: further out, the same height is shoulder
    open_by = np.minimum(open_by, marks.arm[0] * 0.8 - across)
    upper_arm = marks.arm[1] - marks.arm[0]
    sleeve_end = (outfit.sleeve - marks.along_arm(rest)) * upper_arm
    return np.minimum(np.minimum(rest[:, 1] - marks.waist + outfit.hem, sleeve_end), -open_by)


def legs_reach(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie inside the trousers, from waist and hem."""
    thigh = marks.leg[0] - marks.leg[1]
    return np.minimum(marks.waist - rest[:, 1], (outfit.leg_length - marks.along_leg(rest)) * thigh)


def shoe_reach(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie below the upper edge of the shoes."""
    leg = np.where(rest[:, 1] < marks.waist, marks.along_leg(rest), 0)
    return (leg - outfit.shoe_height) * (marks.leg[2] - marks.leg[3])


def hair_reach(style: str, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie inside the hair, or under the cap of style "cap"."""
    if style == "shaved":
        return np.full(len(rest), -1.0, np.float32)
    facing, height = around_head(rest, marks)
    reach = (height - np.interp(facing, _FACING, HAIRLINES[style])) * head_size(marks)
    on_head = np.minimum(rest[:, 1] - marks.neck[1] - 0.01, 0.14 - np.abs(rest[:, 0]))
    reach = np.minimum(reach, on_head)
    return reach if style in COVERS_EARS else np.minimum(reach, -ear_reach(rest, marks))


def cap_covers(rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N] bool: the points [N, 3] of the head that a cap covers."""
    return around_head(rest, marks)[1] > 0.24


def head_size(marks: Landmarks) -> float:
    """Metres from the eyes up to the crown."""
    return float(marks.crown - marks.eye[1])


def around_head(rest: np.ndarray, marks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Of points [N, 3] of the head: how they face [N], 1 forwards and -1 backwards, and their height [N] over the eyes.

    The height is in distances from the eyes to the crown.
    """
    back = rest[:, 2] - marks.ear[2]
    facing = back / np.maximum(np.hypot(rest[:, 0], back), 1e-6)
    return facing, (rest[:, 1] - marks.eye[1]) / head_size(marks)


def ear_reach(rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie inside the ears, which stand off the head."""
    size = head_size(marks)
    back, up = rest[:, 2] - marks.ear[2] + 0.07 * size, rest[:, 1] - marks.ear[1] - 0.02 * size
    inside = 1 - np.hypot(back / (0.24 * size), up / (0.29 * size))
    return np.minimum(inside * 0.24 * size, np.abs(rest[:, 0]) - marks.ear[0] - 0.03 * size)
