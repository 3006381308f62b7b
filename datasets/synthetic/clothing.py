"""What the person wears: cloth, skin, hair and face as colours on the body's rest pose.

Every border (sleeve, hem, neckline, hairline) is a condition on the rest position of a surface
point, which the renderer interpolates for each pixel, so borders are crisp at any resolution and
follow the body however it moves.
"""

from dataclasses import dataclass

import numpy as np

from datasets.synthetic.textures import Noise, checkers, lines, pick, random_colour, to_linear
from utils.body_model import BodyModel, JointRegressors

# the Monk Skin Tone scale (Monk, 2019), shades 1 to 10, display RGB
MONK_SCALE = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
HAIR_COLOURS = ("17120f", "2a1c14", "4a2f1d", "6b4423", "8d5a2b", "b98a4e", "d8b77a", "7c2f17", "8c8c8c", "cfcfcf")
IRIS_COLOURS = ("2b1a10", "3d2817", "4d6b7c", "4c5f3a", "31475e")
NEUTRAL_CLOTH = ("f4f2ee", "dcd8d0", "9a9a9a", "4d4f52", "222326", "1c2740", "2f4365", "c7b08a", "6d5c43", "45513c")
DENIM = ("2c3e5d", "46618a", "6d8db3", "23293a")
COVERED, BARE = 9.0, -9.0
# what people wear: clothes of every kind, or, in a studio, suits whose colours name the place on the body
CLOTHING = ("street", "suit")


def _hex(code: str) -> np.ndarray:
    return to_linear([int(code[start : start + 2], 16) / 255 for start in (0, 2, 4)])


@dataclass(frozen=True)
class Landmarks:
    """Where things are on the rest body, metres; x is taken without its sign (left and right are alike)."""

    arm: tuple  # |x| of shoulder, elbow, wrist, finger tip
    leg: tuple  # y of hip, knee, ankle, sole (falling)
    shoulder: np.ndarray
    neck: np.ndarray
    waist: float  # y
    chest: float  # y
    eye: np.ndarray
    nose: np.ndarray
    ear: np.ndarray
    crown: float  # y

    def along_arm(self, rest: np.ndarray) -> np.ndarray:
        """[N]: 0 at the shoulder, 1 elbow, 2 wrist, 3 finger tip; negative towards and on the trunk."""
        reach = np.abs(rest[:, 0])
        shoulder = self.arm[0]
        value = np.interp(reach, (0, *self.arm), (-shoulder / (self.arm[1] - shoulder), 0, 1, 2, 3))
        return np.where(rest[:, 1] > self.waist, value, -1.0)

    def along_leg(self, rest: np.ndarray) -> np.ndarray:
        """[N]: 0 at the hip joint, 1 knee, 2 ankle, 3 sole; negative above the hip."""
        return np.interp(-rest[:, 1], [-self.crown, *(-y for y in self.leg)], [-3, 0, 1, 2, 3])


def find_landmarks(model: BodyModel, regressors: JointRegressors) -> Landmarks:
    vertices = model.v_template
    joints, named = regressors.smpl(vertices), regressors.joints(vertices)
    return Landmarks(
        arm=(*(abs(joints[joint, 0]) for joint in (16, 18, 20)), np.abs(vertices[:, 0]).max()),
        leg=(*(joints[joint, 1] for joint in (1, 4, 7)), vertices[:, 1].min()),
        shoulder=joints[16],
        neck=joints[12],
        waist=0.5 * (joints[3, 1] + joints[0, 1]) + 0.02,
        chest=joints[9, 1],
        eye=named[20] * [np.sign(named[20, 0]), 1, 1],
        nose=named[19],
        ear=named[22] * [np.sign(named[22, 0]), 1, 1],
        crown=vertices[:, 1].max(),
    )


@dataclass(frozen=True)
class Cloth:
    """A fabric: main and second colour [3], the name of its pattern and the pattern's period in metres."""

    colour: np.ndarray
    second: np.ndarray
    pattern: str = "plain"
    period: float = 0.06
    grain: float = 0.06

    def paint(self, along: np.ndarray, across: np.ndarray, noise: Noise) -> np.ndarray:
        """Colours [N, 3] at places [N] of the cloth, metres along and across the limb or trunk."""
        mix = _PATTERNS[self.pattern](along, across, self.period)[:, None]
        colour = self.colour * (1 - mix) + self.second * mix
        return colour * (1 + self.grain * noise(across, along)[:, None])


_PATTERNS = {
    "plain": lambda along, across, period: np.zeros_like(along),
    "stripes": lambda along, across, period: lines(along, period, 0.5 * period),
    "thin stripes": lambda along, across, period: lines(along, period, 0.25 * period),
    "pin stripes": lambda along, across, period: 0.8 * lines(across, 0.6 * period, 0.12 * period),
    "checks": lambda along, across, period: checkers(along, across, 0.6 * period),
    "plaid": lambda along, across, period: (
        0.5 * lines(along, period, 0.45 * period) + 0.5 * lines(across, period, 0.45 * period)
    ),
    "block": lambda along, across, period: (np.sin(along * 9 + 14.0 * period) > 0.2).astype(float),
}


@dataclass(frozen=True)
class Outfit:
    """Everything that one person wears; lengths count along the limb: 0 root, 1 elbow or knee, 2 wrist or ankle."""

    skin: np.ndarray
    hair: np.ndarray
    hair_style: str
    iris: np.ndarray
    top: Cloth
    sleeve: float
    neckline: str
    hem: float  # metres below the waist
    open_front: Cloth | None
    print_colour: np.ndarray | None
    bottom: Cloth
    leg_length: float
    side_stripe: np.ndarray | None
    belt: np.ndarray | None
    socks: np.ndarray
    shoe: np.ndarray
    sole: np.ndarray
    shoe_height: float
    suit: np.ndarray | None  # brightness [3] of a suit over the clothes
    seed: int


def sample_outfit(rng: np.random.Generator, clothing: str = "street") -> Outfit:
    skin_place = rng.uniform(0, len(MONK_SCALE) - 2.4)
    low = int(skin_place)
    skin = _hex(MONK_SCALE[low]) + (skin_place - low) * (_hex(MONK_SCALE[low + 1]) - _hex(MONK_SCALE[low]))
    # the scale is meant for screens with text on them; under a light, skin is redder and pale skin less bright
    skin = skin * (np.array([0.86, 0.66, 0.55]) + np.clip(skin_place / 6, 0, 1) * np.array([0.24, 0.28, 0.32]))
    dark = low >= 5
    hair = _hex(HAIR_COLOURS[rng.integers(0, 3)] if dark else HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))])
    top = _sample_cloth(rng, pick(rng, [(3, "colour"), (2, "neutral")]), 0.55)
    bottom = _sample_cloth(rng, pick(rng, [(3, "denim"), (4, "neutral"), (1.5, "colour")]), 0.12)
    for _ in range(10):
        if np.abs(np.sqrt(top.colour) - np.sqrt(bottom.colour)).max() > 0.22:
            break
        bottom = _sample_cloth(rng, pick(rng, [(1, "denim"), (2, "neutral")]), 0.1)
    sleeve = pick(rng, [(4, 0.55), (4, 1.88), (1, -0.02), (1, 1.25)]) + rng.uniform(-0.06, 0.06)
    long_legs = pick(rng, [(6, 1.88), (3, 0.72), (0.8, 1.45), (0.8, 0.35)]) + rng.uniform(-0.05, 0.05)
    plain = top.pattern == "plain"
    return Outfit(
        skin=skin,
        hair=hair,
        hair_style=pick(rng, [(5, "short"), (3, "long"), (1, "shaved"), (1.2, "cap")]),
        iris=_hex(IRIS_COLOURS[rng.integers(len(IRIS_COLOURS))] if not dark else IRIS_COLOURS[0]),
        top=top,
        sleeve=sleeve,
        neckline=pick(rng, [(4, "crew"), (2, "v"), (1.5, "wide"), (1.5, "high")]),
        hem=pick(rng, [(1, -0.01), (4, 0.10), (1.2, 0.17)]) + rng.uniform(-0.01, 0.02),
        open_front=_sample_cloth(rng, "neutral", 0.2) if sleeve > 1.2 and rng.random() < 0.3 else None,
        print_colour=random_colour(rng) if plain and rng.random() < 0.3 else None,
        bottom=bottom,
        leg_length=long_legs,
        side_stripe=_hex(NEUTRAL_CLOTH[rng.integers(2)]) if rng.random() < 0.15 else None,
        belt=_hex(("2a1a10", "17120f", "4a2f1d")[rng.integers(3)]) if rng.random() < 0.35 else None,
        socks=_hex(NEUTRAL_CLOTH[rng.integers(len(NEUTRAL_CLOTH))]),
        shoe=pick(
            rng,
            [(2, _hex(NEUTRAL_CLOTH[rng.integers(len(NEUTRAL_CLOTH))])), (1, random_colour(rng)), (1, _hex("4a2f1d"))],
        ),
        sole=_hex(("f4f2ee", "222326", "c7b08a")[rng.integers(3)]),
        shoe_height=pick(rng, [(4, 2.05), (1.5, 1.8), (0.5, 1.5)]),
        seed=int(rng.integers(2**31)),
        suit=rng.uniform(0.75, 1.0, 3) if clothing == "suit" else None,
    )


def _sample_cloth(rng: np.random.Generator, kind: str, patterned: float) -> Cloth:
    if kind == "denim":
        return Cloth(_hex(DENIM[rng.integers(len(DENIM))]), _hex("d8e0ea"), "plain", grain=0.22)
    neutral = _hex(NEUTRAL_CLOTH[rng.integers(len(NEUTRAL_CLOTH))])
    colour = neutral if kind == "neutral" else random_colour(rng, (0.35, 0.9), (0.3, 0.75))
    second = _hex(NEUTRAL_CLOTH[rng.integers(len(NEUTRAL_CLOTH))])
    if np.abs(np.sqrt(second) - np.sqrt(colour)).max() < 0.3:
        second = _hex("f4f2ee") if colour.mean() < 0.3 else _hex("1c2740")
    names = [name for name in _PATTERNS if name != "plain"]
    pattern = names[rng.integers(len(names))] if rng.random() < patterned else "plain"
    return Cloth(colour, second, pattern, rng.uniform(0.04, 0.10), rng.uniform(0.03, 0.12))


@dataclass(frozen=True)
class Dressed:
    """Surface samples: colour [N, 3] linear, gloss [N] (strength of the highlight), cloth [N] (share of folds)."""

    colour: np.ndarray
    gloss: np.ndarray
    cloth: np.ndarray


def dress(outfit: Outfit, rest: np.ndarray, marks: Landmarks) -> Dressed:
    """Colours of surface points given by their rest positions [N, 3]."""
    rng = np.random.default_rng(outfit.seed)
    noise, hair_noise = Noise(rng, 0.012, 3), Noise(rng, 0.006, 2, stretch=6.0)
    arm, leg = marks.along_arm(rest), marks.along_leg(rest)
    colour = np.empty((len(rest), 3), np.float32)
    gloss, cloth = np.full(len(rest), 0.10, np.float32), np.zeros(len(rest), np.float32)

    def put(where, paint, shine, folds):
        colour[where] = paint if np.ndim(paint) == 1 else paint[where]
        gloss[where], cloth[where] = shine, folds

    everywhere = np.ones(len(rest), bool)
    put(everywhere, outfit.skin * (1 + 0.04 * noise(rest[:, 0], rest[:, 1])[:, None]), 0.10, 0.0)
    _paint_face(put, outfit, rest, marks)
    hair = _hair_region(outfit.hair_style, rest, marks)
    strands = 1 + 0.35 * hair_noise(rest[:, 0] * 1.5 + rest[:, 2], rest[:, 1])[:, None]
    put(hair, outfit.hair * strands, 0.22, 0.25)

    below_waist = rest[:, 1] < marks.waist
    put(below_waist & (leg > 1.72), outfit.socks, 0.02, 0.3)
    trousers = outfit.bottom.paint(rest[:, 1], rest[:, 0], noise)
    legs = below_waist & (leg < outfit.leg_length) & (arm <= 0)
    put(legs, trousers, 0.03, 1.0)
    if outfit.side_stripe is not None:
        outward = np.abs(np.abs(rest[:, 2] - marks.neck[2]) - 0.0) < 0.016
        put(legs & outward & (np.abs(rest[:, 0]) > 0.09), outfit.side_stripe, 0.03, 1.0)
    put(below_waist & (leg > outfit.shoe_height), outfit.shoe, 0.18, 0.1)
    put(below_waist & (rest[:, 1] < marks.leg[3] + 0.018), outfit.sole, 0.05, 0.0)

    worn = _top_region(outfit, rest, arm, marks)
    sleeved = arm > -0.1
    # the way round an arm of about 4.5 cm radius, or round the trunk of about 14 cm
    round_arm = 0.045 * np.arctan2(rest[:, 1] - marks.shoulder[1], rest[:, 2] - marks.shoulder[2])
    round_trunk = 0.14 * np.arctan2(rest[:, 0], rest[:, 2] - marks.neck[2])
    place = np.where(sleeved, np.abs(rest[:, 0]), rest[:, 1]), np.where(sleeved, round_arm, round_trunk)
    shirt = outfit.top.paint(*place, noise)
    if outfit.belt is not None:
        put(~worn & (np.abs(rest[:, 1] - marks.waist + 0.018) < 0.018) & (arm < 0), outfit.belt, 0.2, 0.0)
    put(worn, shirt, 0.03, 1.0)
    chest = worn & (rest[:, 2] > marks.neck[2]) & ~sleeved
    if outfit.open_front is not None:
        gap = 0.028 + 0.06 * np.clip(marks.chest - rest[:, 1], 0, 0.4)
        put(chest & (np.abs(rest[:, 0]) < gap), outfit.open_front.paint(*place, noise), 0.03, 1.0)
    elif outfit.print_colour is not None:
        middle = np.hypot(rest[:, 0], rest[:, 1] - marks.chest + 0.01)
        put(chest & ((middle < 0.045) | (np.abs(middle - 0.062) < 0.007)), outfit.print_colour, 0.03, 1.0)
    if outfit.suit is not None:
        put(rest[:, 1] < marks.neck[1] + 0.03, suit_colours(rest, marks) * outfit.suit, 0.03, 0.2)
    return Dressed(colour, gloss, cloth)


def suit_colours(rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """Colours [N, 3] of a close-fitting suit: red grows from right to left, green upwards, blue to the front."""
    reach = marks.arm[2]
    side = np.interp(rest[:, 0], (-reach, -0.12, 0.12, reach), (0.0, 0.35, 0.65, 1.0))
    height = np.interp(rest[:, 1], (marks.leg[3], marks.neck[1]), (0.0, 1.0))
    front = np.interp(rest[:, 2] - marks.neck[2], (-0.12, 0.12), (0.0, 1.0))
    return to_linear(0.1 + 0.85 * np.stack([side, height, front], axis=1))


def _top_region(outfit: Outfit, rest: np.ndarray, arm: np.ndarray, marks: Landmarks) -> np.ndarray:
    across, height = np.abs(rest[:, 0]), rest[:, 1] - marks.neck[1]
    forward = rest[:, 2] - marks.neck[2]
    edge = {"crew": -0.005, "v": 0.0, "wide": -0.03, "high": 0.035}[outfit.neckline] - 0.35 * forward
    bare = height > edge
    if outfit.neckline == "v":
        bare |= (forward > 0) & (height > -0.13 + 2.2 * across)
    if outfit.neckline == "wide":
        bare |= (height > -0.06) & (across < 0.09)
    # the neck is narrow; the same height further out is shoulder
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
    """Eyes, brows and lips, placed by the landmarks and drawn a little large, as on a shop-window mannequin."""
    front = (rest[:, 2] > marks.ear[2] + 0.02) & (rest[:, 1] > marks.neck[1])
    across = np.abs(rest[:, 0]) - marks.eye[0]
    above = rest[:, 1] - marks.eye[1]

    def ellipse(x, y, width, height):
        return front & ((x / width) ** 2 + (y / height) ** 2 < 1)

    put(ellipse(across, above, 0.016, 0.0085), np.array([0.52, 0.50, 0.48]), 0.2, 0.0)
    put(ellipse(across, above, 0.0072, 0.0078), outfit.iris, 0.4, 0.0)
    put(ellipse(across, above - 0.0085, 0.017, 0.0022), outfit.hair * 0.4, 0.0, 0.0)
    put(ellipse(across - 0.002, above - 0.020 + 12 * across**2, 0.019, 0.0035), outfit.hair * 0.7, 0.0, 0.0)
    mouth = 2.05 * (marks.nose[1] - marks.eye[1])
    lips = ellipse(rest[:, 0], above - mouth, 0.022, 0.0075)
    put(lips, outfit.skin * [0.80, 0.45, 0.45], 0.2, 0.0)
