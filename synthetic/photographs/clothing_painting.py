"""Paint clothes, skin, hair and face on the body: a colour for every point of its rest pose.

Each border (sleeve, hem, neckline, hairline) is a condition on the rest position of a surface point. The renderer
interpolates rest positions for each pixel, so borders are sharp at any resolution and move with the body.
"""

from dataclasses import dataclass

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.textures import Noise, mix, to_linear


@dataclass(frozen=True)
class Dressed:
    """Surface samples: colour [N, 3] linear, gloss [N] (strength of the highlight), cloth [N] (share of folds)."""

    colour: np.ndarray
    gloss: np.ndarray
    cloth: np.ndarray


class _Layers:
    """Paints over N surface points, each over those before it; in the end every point is painted once."""

    def __init__(self, count: int):
        self._top = np.zeros(count, np.uint8)
        self._paints: list[tuple] = []

    def put(self, where, paint, shine: float, folds: float) -> None:
        """Cover points `where` [N] bool; paint: a colour [3], or a function of point numbers [n] that gives [n, 3]."""
        self._top[where] = len(self._paints)
        self._paints.append((paint, shine, folds))

    def flatten(self) -> Dressed:
        """What is seen of all layers; the first must have covered every point."""
        count = len(self._top)
        colour = np.empty((count, 3), np.float32)
        gloss, cloth = np.empty(count, np.float32), np.empty(count, np.float32)
        for number, (paint, shine, folds) in enumerate(self._paints):
            points = np.flatnonzero(self._top == number)
            if len(points):
                colour[points] = paint(points) if callable(paint) else paint
                gloss[points], cloth[points] = shine, folds
        return Dressed(colour, gloss, cloth)


def dress(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> Dressed:
    """Colours of surface points given by their rest positions [N, 3]."""
    layers = _Layers(len(rest))
    rng = np.random.default_rng(outfit.seed)
    noise, hair_noise = Noise(rng, 0.012, 3), Noise(rng, 0.006, 2, stretch=6.0)

    def skin(points):
        return mix([1 + 0.04 * noise(rest[points, 0], rest[points, 1])], [outfit.skin])

    def strands(points):
        across, up, forward = rest[points].T
        return mix([1 + 0.35 * hair_noise(across * 1.5 + forward, up)], [outfit.hair])

    layers.put(slice(None), skin, 0.10, 0.0)
    _paint_face(layers.put, outfit, rest, marks)
    layers.put(_hair_region(outfit.hair_style, rest, marks), strands, 0.22, 0.25)
    if outfit.suit is None:
        _paint_clothes(layers.put, outfit, rest, marks, noise)
    else:
        suit = outfit.suit
        layers.put(
            rest[:, 1] < marks.neck[1] + 0.03, lambda points: suit_colours(rest[points], marks) * suit, 0.03, 0.2
        )
    return layers.flatten()


def _paint_clothes(put, outfit: Outfit, rest: np.ndarray, marks: Landmarks, noise: Noise) -> None:
    """Paint socks, trousers, shoes, top and what is on them."""
    arm, leg = marks.along_arm(rest), marks.along_leg(rest)
    below_waist = rest[:, 1] < marks.waist
    put(below_waist & (leg > 1.72), outfit.socks, 0.02, 0.3)
    legs = below_waist & (leg < outfit.leg_length) & (arm <= 0)
    put(legs, lambda points: outfit.bottom.paint(rest[points, 1], rest[points, 0], noise), 0.03, 1.0)
    if outfit.side_stripe is not None:
        outward = np.abs(rest[:, 2] - marks.neck[2]) < 0.016
        put(legs & outward & (np.abs(rest[:, 0]) > 0.09), outfit.side_stripe, 0.03, 1.0)
    put(below_waist & (leg > outfit.shoe_height), outfit.shoe, 0.18, 0.1)
    put(below_waist & (rest[:, 1] < marks.leg[3] + 0.018), outfit.sole, 0.05, 0.0)

    worn = _top_region(outfit, rest, arm, marks)
    if outfit.belt is not None:
        put(~worn & (np.abs(rest[:, 1] - marks.waist + 0.018) < 0.018) & (arm < 0), outfit.belt, 0.2, 0.0)
    sleeved = arm > -0.1

    def top(cloth):
        return lambda points: cloth.paint(*_place_on_top(rest[points], sleeved[points], marks), noise)

    put(worn, top(outfit.top), 0.03, 1.0)
    chest = worn & (rest[:, 2] > marks.neck[2]) & ~sleeved
    if outfit.open_front is not None:
        gap = 0.028 + 0.06 * np.clip(marks.chest - rest[:, 1], 0, 0.4)
        put(chest & (np.abs(rest[:, 0]) < gap), top(outfit.open_front), 0.03, 1.0)
    elif outfit.print_colour is not None:
        middle = np.hypot(rest[:, 0], rest[:, 1] - marks.chest + 0.01)
        put(chest & ((middle < 0.045) | (np.abs(middle - 0.062) < 0.007)), outfit.print_colour, 0.03, 1.0)


def _place_on_top(rest: np.ndarray, sleeved: np.ndarray, marks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Where points [N, 3] lie on a shirt: metres along and around [N] the arm where `sleeved` [N], else the trunk."""
    # the arm has a radius of about 4.5 cm, the trunk of about 14
    round_arm = 0.045 * np.arctan2(rest[:, 1] - marks.shoulder[1], rest[:, 2] - marks.shoulder[2])
    round_trunk = 0.14 * np.arctan2(rest[:, 0], rest[:, 2] - marks.neck[2])
    return np.where(sleeved, np.abs(rest[:, 0]), rest[:, 1]), np.where(sleeved, round_arm, round_trunk)


def suit_colours(rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """Colours [N, 3] of a close-fitting suit: red grows from right to left, green upwards, blue to the front."""
    reach = marks.arm[2]
    side = np.interp(rest[:, 0], (-reach, -0.12, 0.12, reach), (0.0, 0.35, 0.65, 1.0))
    height = np.interp(rest[:, 1], (marks.leg[3], marks.neck[1]), (0.0, 1.0))
    front = np.interp(rest[:, 2] - marks.neck[2], (-0.12, 0.12), (0.0, 1.0))
    return to_linear(0.1 + 0.85 * np.stack([side, height, front], axis=1, dtype=np.float32))


def _top_region(outfit: Outfit, rest: np.ndarray, arm: np.ndarray, marks: Landmarks) -> np.ndarray:
    across, height = np.abs(rest[:, 0]), rest[:, 1] - marks.neck[1]
    forward = rest[:, 2] - marks.neck[2]
    edge = {"crew": -0.005, "v": 0.0, "wide": -0.03, "high": 0.035}[outfit.neckline] - 0.35 * forward
    bare = height > edge
    if outfit.neckline == "v":
        bare |= (forward > 0) & (height > -0.13 + 2.2 * across)
    if outfit.neckline == "wide":
        bare |= (height > -0.06) & (across < 0.09)
    # the neck is narrow: further out, the same height is shoulder
    bare &= across < marks.arm[0] * 0.8
    return (rest[:, 1] > marks.waist - outfit.hem) & ~bare & (arm < outfit.sleeve)


def _hair_region(style: str, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    on_head = (rest[:, 1] > marks.neck[1] + 0.02) & (np.abs(rest[:, 0]) < 0.14)
    if style == "shaved":
        return np.zeros(len(rest), bool)
    size = marks.crown - marks.eye[1]
    centre = np.array([0.0, marks.eye[1], marks.ear[2]])
    # 1 towards the face, -1 towards the back of the head
    offset = (rest - centre) / size
    facing = offset[:, 2] / np.maximum(np.hypot(offset[:, 0], offset[:, 2]), 1e-6)
    front, side, back = {
        "short": (0.52, -0.02, -0.55),
        "long": (0.58, -0.45, -1.6),
        "cap": (0.36, 0.14, 0.05),
    }[style]
    line = np.where(
        facing > 0,
        side + (front - side) * np.clip(facing, 0, 1) ** 2,
        side + (back - side) * np.clip(-facing, 0, 1) ** 0.7,
    )
    return on_head & (offset[:, 1] > line)


def _paint_face(put, outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> None:
    """Paint eyes, brows and lips at the landmarks, a little large."""
    front = (rest[:, 2] > marks.ear[2] + 0.02) & (rest[:, 1] > marks.neck[1])
    across = np.abs(rest[:, 0]) - marks.eye[0]
    above = rest[:, 1] - marks.eye[1]

    def ellipse(x, y, width, height):
        return front & ((x / width) ** 2 + (y / height) ** 2 < 1)

    put(ellipse(across, above, 0.0145, 0.0062), np.array([0.52, 0.50, 0.48]), 0.2, 0.0)
    put(ellipse(across, above, 0.0062, 0.0062), outfit.iris, 0.4, 0.0)
    put(ellipse(across, above - 0.0062, 0.0155, 0.0018), outfit.hair * 0.4, 0.0, 0.0)
    put(ellipse(across - 0.002, above - 0.020 + 12 * across**2, 0.019, 0.0035), outfit.hair * 0.7, 0.0, 0.0)
    mouth = 1.77 * (marks.nose[1] - marks.eye[1])
    lips = ellipse(rest[:, 0], above - mouth, 0.023, 0.0075)
    put(lips, outfit.skin * [0.80, 0.45, 0.45], 0.2, 0.0)
