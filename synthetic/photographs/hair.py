"""Hair as shapes: how far it stands off the head, hanging hair, a pony tail, and the brim of a cap."""

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.clothing_regions import around_head, ear_reach, hair_reach, head_size
from synthetic.photographs.hanging import BRIM, HAIR, Hanging, girth, hang
from synthetic.photographs.textures import Noise, smooth_step

# metres at the sides of the head, and on top
THICKNESS = {
    "short": (0.007, 0.022), "buzz": (0.003, 0.004), "receding": (0.006, 0.010), "medium": (0.012, 0.024),
    "long": (0.010, 0.020), "tail": (0.006, 0.010), "cap": (0.006, 0.014), "shaved": (0.0, 0.0),
}  # fmt: skip
BEARD = 0.008  # metres
RINGS, SIDES = 9, 25


def hair_thickness(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[V]: metres by which hair, cap and beard stand off the rest body [V, 3]."""
    side, top = THICKNESS[outfit.hair_style]
    _, height = around_head(rest, marks)
    thickness = side + (top - side) * smooth_step(height, 0.1, 0.8)
    if outfit.hair_style not in ("cap", "buzz"):
        clumps = Noise(np.random.default_rng([outfit.seed, 3]), 0.03, 2)
        thickness = thickness * (1 + 0.25 * clumps(rest[:, 0] + rest[:, 1], rest[:, 2] + rest[:, 1]))
    reach = np.minimum(hair_reach(outfit.hair_style, rest, marks), -ear_reach(rest, marks))
    thickness = thickness * smooth_step(reach, -0.004, 0.018)
    if outfit.beard == "full":
        thickness = np.maximum(thickness, BEARD * smooth_step(beard_reach("full", rest, marks), 0.0, 0.02))
    return thickness


def beard_reach(kind: str, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """[N]: how far points [N, 3] lie inside a beard, metres."""
    eye_to_nose = marks.eye[1] - marks.nose[1]
    across, up = np.abs(rest[:, 0]), rest[:, 1] - marks.eye[1]
    forward = rest[:, 2] - marks.ear[2]
    mouth, chin = -1.71 * eye_to_nose, -2.76 * eye_to_nose
    lips = 1 - np.hypot(rest[:, 0] / 0.024, (up - mouth) / 0.010)
    if kind == "moustache":
        above_lip = 1 - np.hypot(rest[:, 0] / 0.030, (up - mouth - 0.014) / 0.008)
        return np.where(forward > 0.04, np.minimum(0.008 * above_lip, -0.01 * lips), -1)
    # from the sideburns down along the cheeks, under the cheekbones, to the throat below the chin
    cheek = np.interp(forward, (-0.005, 0.02, 0.06, 0.1), (-0.4, -1.1, -1.5, -1.4)) * eye_to_nose
    jaw = chin - 0.006 + 0.33 * np.clip(0.1 - forward, 0, 0.1)
    edge = np.minimum(np.minimum(cheek - up, up - jaw), np.minimum(forward, marks.arm[0] - across))
    return np.minimum(np.minimum(edge, -0.01 * lips), -ear_reach(rest, marks))


def hanging_hair(outfit: Outfit, vertices: np.ndarray, marks: Landmarks) -> list[Hanging]:
    """What hangs from the head of a dressed body, vertices [V, 3] at rest."""
    rng = np.random.default_rng([outfit.seed, 4])
    if outfit.hair_style in ("medium", "long"):
        return [_curtain(outfit.hair_style, rng, vertices, marks)]
    if outfit.hair_style == "tail":
        return [_tail(rng, vertices, marks)]
    if outfit.hair_style == "cap":
        return [_brim(vertices, marks)]
    return []


def _head(points: np.ndarray) -> dict[str, np.ndarray]:
    return {"head": np.ones(len(points))}


def _curtain(style: str, rng, vertices: np.ndarray, marks: Landmarks) -> Hanging:
    """Hair that falls from the sides and the back of the head, over the ears."""
    size, neck = head_size(marks), float(marks.neck[1])
    angles = np.linspace(np.radians(62), np.radians(298), SIDES)  # from the front, around the back
    away = np.abs(np.degrees(angles) - 180) / 118  # 0 at the back, 1 beside the face
    top = marks.eye[1] + 0.6 * size
    bottom = marks.eye[1] - rng.uniform(0.75, 1.0) * size if style == "medium" else neck - rng.uniform(0.04, 0.16)
    # beside the face it ends above the shoulders
    ends = bottom + (max(bottom, neck + 0.01) - bottom) * smooth_step(away, 0.25, 0.6)
    fallen = np.linspace(0, 1, RINGS)[:, None]
    heights = top + fallen * (ends - top)
    axis = (0.0, float(marks.ear[2]) - 0.02)
    body = vertices[(np.abs(vertices[:, 0]) < 0.16) & (vertices[:, 1] > bottom - 0.05)]
    levels = np.linspace(top, bottom, 16)
    around = girth(body, axis, levels, angles, 0.75 * (levels[0] - levels[1]) + 0.004)
    near = np.stack([np.interp(-heights[:, k], -levels, around[:, k]) for k in range(SIDES)], axis=1)
    widest = np.maximum.accumulate(near * (heights > marks.ear[1] - 0.3 * size), axis=0)
    falling = widest * (1 - 0.16 * smooth_step(fallen, 0.35, 1.0))
    # the first ring lies in the hair of the head
    radius = np.maximum(near + 0.006, falling) + 0.004 - 0.011 * np.clip(1 - 6 * fallen, 0, 1)
    radius = radius * (1 + 0.02 * fallen * np.sin(9 * angles + rng.uniform(0, 6)))
    rings = np.stack([radius * np.sin(angles), heights, axis[1] + radius * np.cos(angles)], axis=-1)
    return hang(HAIR, rings, _head, closed=False)


def _tail(rng, vertices: np.ndarray, marks: Landmarks) -> Hanging:
    """A pony tail at the back of the head."""
    size, length = head_size(marks), rng.uniform(0.12, 0.26)
    height = marks.eye[1] + rng.uniform(0.0, 0.5) * size
    middle = vertices[(np.abs(vertices[:, 0]) < 0.03) & (np.abs(vertices[:, 1] - height) < 0.02)]
    along = np.linspace(0, 1, RINGS)[:, None]
    back = middle[:, 2].min() + 0.012 - 0.055 * np.sin(np.pi * np.minimum(along, 0.6) / 1.2)
    radius = 0.026 * np.sqrt(np.clip(1 - (1.6 * along - 0.6) ** 2, 0.0, 1)) + 0.002
    radius[0] = 0.012
    turn = np.arange(10) * 2 * np.pi / 10
    places = np.stack(
        [radius * np.sin(turn), height - length * along**1.3 + 0 * turn, back + radius * np.cos(turn)], axis=-1
    )
    return hang(HAIR, places, _head, closed=True)


def _brim(vertices: np.ndarray, marks: Landmarks) -> Hanging:
    """The brim of a cap, over the forehead."""
    size = head_size(marks)
    angles = np.linspace(np.radians(-68), np.radians(68), 15)
    height, axis = marks.eye[1] + 0.24 * size, (0.0, float(marks.ear[2]))
    head = vertices[(np.abs(vertices[:, 0]) < 0.14) & (vertices[:, 1] > marks.neck[1])]
    start = girth(head, axis, np.array([height]), angles, 0.012)[0]
    width = 0.06 * np.sqrt(np.clip(1 - (angles / angles[-1]) ** 2, 0, 1))
    out = np.linspace(0, 1, 4)[:, None]
    radius = start - 0.004 + out * width
    heights = height + 0.012 * np.cos(angles) * (1 - out) - 0.008 * out * np.cos(angles)
    rings = np.stack([radius * np.sin(angles), heights, axis[1] + radius * np.cos(angles)], axis=-1)
    return hang(BRIM, rings, _head, closed=False)
