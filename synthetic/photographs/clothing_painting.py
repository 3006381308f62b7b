"""Paint clothes, skin and hair on a person: a colour for every point of the rest pose.

Each border (sleeve, hem, neckline, hairline) is a condition on the rest position of a surface point. The renderer
interpolates rest positions for each pixel, so borders are sharp at any resolution and move with the body.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.clothing_regions import cap_covers, hair_reach, legs_reach, shoe_reach, top_reach
from synthetic.photographs.face_painting import paint_face
from synthetic.photographs.hanging import BRIM, HAIR, SHOE, SKIRT
from synthetic.photographs.textures import Noise, mix, to_linear

SOCKS = 1.72  # along the leg: they reach this high
SLEEVE = -0.1  # along the arm: it begins here
SOLE = 0.016  # metres
BELOW_NECK = 0.06  # metres below the neck that a beard may reach

Paint = np.ndarray | Callable[[np.ndarray], np.ndarray]  # a colour [3], or rest positions [n, 3] -> colours [n, 3]


@dataclass(frozen=True)
class Dressed:
    """Surface samples: colour [N, 3] linear, gloss [N] (strength of the highlight), cloth [N] (share of folds)."""

    colour: np.ndarray
    gloss: np.ndarray
    cloth: np.ndarray


class _Layers:
    """Paints over surface points at rest [N, 3], each over those before it; in the end every point is painted once."""

    def __init__(self, rest: np.ndarray):
        self._rest, self._top = rest, np.zeros(len(rest), np.uint8)
        self._paints: list[tuple[Paint, float, float]] = []

    def put(self, where, paint: Paint, shine: float, folds: float) -> None:
        """Cover the points `where`, bool [N] or numbers."""
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
                colour[points] = paint(self._rest[points]) if callable(paint) else paint
                gloss[points], cloth[points] = shine, folds
        return Dressed(colour, gloss, cloth)


def dress(outfit: Outfit, rest: np.ndarray, kinds: np.ndarray, marks: Landmarks) -> Dressed:
    """Colours of surface points given by their rest positions [N, 3] and the kinds [N] of their surfaces."""
    layers = _Layers(rest)
    rng = np.random.default_rng(outfit.seed)
    noise, hair_noise = Noise(rng, 0.012, 3), Noise(rng, 0.006, 2, stretch=6.0)

    def skin(places):
        return mix([1 + 0.04 * noise(places[:, 0], places[:, 1])], [outfit.skin])

    def strands(places):
        across, up, forward = places.T
        around = 0.07 * np.arctan2(across, forward - marks.ear[2])  # strands fall from the crown
        return mix([1 + 0.4 * hair_noise(around, up)], [outfit.hair])

    def skirt(places):
        around = 0.16 * np.arctan2(places[:, 0], places[:, 2] - marks.neck[2])
        return outfit.bottom.paint(places[:, 1], around, noise)

    layers.put(slice(None), skin, 0.10, 0.0)
    head = np.flatnonzero(rest[:, 1] > marks.neck[1] - BELOW_NECK)
    if len(head):
        _paint_head(layers, head, outfit, rest[head], marks, strands, noise)
    if outfit.suit is None:
        _paint_legs(layers.put, outfit, rest, marks, noise)
        _paint_top(layers.put, outfit, rest, marks, noise)
    else:
        suit = outfit.suit
        layers.put(rest[:, 1] < marks.neck[1] + 0.03, lambda places: suit_colours(places, marks) * suit, 0.03, 0.2)
    layers.put(kinds == HAIR, strands, 0.22, 0.35)
    layers.put(kinds == BRIM, outfit.cap, 0.04, 0.0)
    layers.put(kinds == SKIRT, skirt, 0.03, 0.6)
    layers.put(kinds == SHOE, outfit.shoe, 0.18, 0.1)
    layers.put((kinds == SHOE) & (rest[:, 1] < marks.leg[3] + SOLE), outfit.sole, 0.05, 0.0)
    return layers.flatten()


def _paint_head(layers: _Layers, head: np.ndarray, outfit: Outfit, rest: np.ndarray, marks: Landmarks, strands, noise):
    """Paint face and hair on the points with the numbers `head` [n], whose rest positions are given [n, 3]."""

    def put(where, *paint):
        layers.put(head[where], *paint)

    paint_face(put, outfit, rest, marks, strands, noise)
    reach = hair_reach(outfit.hair_style, rest, marks)
    # the hairline is frayed
    in_hair = reach + 0.003 * noise(rest[:, 0] + rest[:, 2], rest[:, 1]) * (reach < 0.02) > 0
    put(in_hair, strands, 0.22, 0.35)
    if outfit.hair_style == "cap":
        put(in_hair & cap_covers(rest, marks), outfit.cap, 0.04, 0.3)


def _paint_legs(put, outfit: Outfit, rest: np.ndarray, marks: Landmarks, noise: Noise) -> None:
    """Paint socks, trousers and shoes."""
    leg = np.where(rest[:, 1] < marks.waist, marks.along_leg(rest), 0)

    def cloth(places):
        return outfit.bottom.paint(places[:, 1], places[:, 0], noise)

    put(leg > SOCKS, outfit.socks, 0.02, 0.3)
    if not outfit.skirt:
        reach = legs_reach(outfit, rest, marks)
        put(reach > 0, cloth, 0.03, 1.0)
        put((np.abs(reach - 0.012) < 0.004) & (leg > 0.2), lambda places: 0.7 * cloth(places), 0.03, 0.0)  # the seam
        if outfit.side_stripe is not None:
            outward = (np.abs(rest[:, 2] - marks.neck[2]) < 0.016) & (np.abs(rest[:, 0]) > 0.09 + 0.018 * leg)
            put((reach > 0) & outward, outfit.side_stripe, 0.03, 1.0)
    put(shoe_reach(outfit, rest, marks) > 0, outfit.shoe, 0.18, 0.1)


def _paint_top(put, outfit: Outfit, rest: np.ndarray, marks: Landmarks, noise: Noise) -> None:
    """Paint belt and shirt, and what is on it."""
    reach, arm = top_reach(outfit, rest, marks), marks.along_arm(rest)
    if outfit.belt is not None and not outfit.skirt:
        on_waist = np.abs(rest[:, 1] - marks.waist + 0.018) < 0.018
        put((reach <= 0) & on_waist & (arm < 0), outfit.belt, 0.2, 0.0)

    def of(cloth, shade=1.0):
        return lambda places: shade * cloth.paint(*_place_on_top(places, marks), noise)

    put(reach > 0, of(outfit.top), 0.03, 1.0)
    put(np.abs(reach - 0.014) < 0.003, of(outfit.top, 0.75), 0.03, 0.5)  # the seam
    chest = (reach > 0) & (rest[:, 2] > marks.neck[2]) & (arm <= SLEEVE)
    if outfit.open_front is not None:
        gap = 0.028 + 0.06 * np.clip(marks.chest - rest[:, 1], 0, 0.4)
        put(chest & (np.abs(rest[:, 0]) < gap), of(outfit.open_front), 0.03, 1.0)
    elif outfit.print_colour is not None:
        middle = np.hypot(rest[:, 0], rest[:, 1] - marks.chest + 0.01)
        put(chest & ((middle < 0.045) | (np.abs(middle - 0.062) < 0.007)), outfit.print_colour, 0.03, 1.0)


def _place_on_top(rest: np.ndarray, marks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """Where points [N, 3] lie on a shirt: metres along and around [N] the arm, or the trunk."""
    sleeved = marks.along_arm(rest) > SLEEVE
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
