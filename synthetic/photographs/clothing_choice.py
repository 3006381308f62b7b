"""Choose at random what a person wears and looks like: fabrics, lengths of sleeves and legs, skin, hair, eyes.

clothing_painting.py paints it on the body.
"""

from dataclasses import dataclass

import numpy as np

from synthetic.photographs.textures import Noise, checkers, lines, mix, pick, random_colour, to_linear

# the Monk Skin Tone scale (Monk, 2019), shades 1 to 10, display RGB
MONK_SCALE = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
HAIR_COLOURS = ("17120f", "2a1c14", "4a2f1d", "6b4423", "8d5a2b", "b98a4e", "d8b77a", "7c2f17", "8c8c8c", "cfcfcf")
IRIS_COLOURS = ("2b1a10", "3d2817", "4d6b7c", "4c5f3a", "31475e")
NEUTRAL_CLOTH = ("f4f2ee", "dcd8d0", "9a9a9a", "4d4f52", "222326", "1c2740", "2f4365", "c7b08a", "6d5c43", "45513c")
DENIM = ("2c3e5d", "46618a", "6d8db3", "23293a")
# (share, style)
SHORT_HAIR = [(6, "short"), (2, "buzz"), (1.5, "receding"), (1.2, "shaved"), (1.5, "cap")]
LONG_HAIR = [(3, "long"), (2.5, "medium"), (2, "tail")]
# street: clothes of every kind; suit: suits whose colours tell the place on the body, in a studio
CLOTHING = ("street", "suit")


def _hex(code: str) -> np.ndarray:
    return to_linear([int(code[start : start + 2], 16) / 255 for start in (0, 2, 4)])


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
        shade = 1 + self.grain * noise(across, along)
        share = _PATTERNS[self.pattern](along, across, self.period)
        return mix([shade * (1 - share), shade * share], [self.colour, self.second])


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
    lips: np.ndarray
    hair: np.ndarray
    hair_style: str  # one of SHORT_HAIR and LONG_HAIR
    beard: str  # "", "stubble", "full" or "moustache"
    iris: np.ndarray
    cap: np.ndarray
    top: Cloth
    sleeve: float
    neckline: str
    hem: float  # metres below the waist
    top_ease: float  # metres by which the shirt stands off the body at its hem
    open_front: Cloth | None
    print_colour: np.ndarray | None
    bottom: Cloth
    leg_length: float
    bottom_ease: float  # the same of the trousers
    skirt: bool  # instead of trousers
    side_stripe: np.ndarray | None
    belt: np.ndarray | None
    socks: np.ndarray
    shoe: np.ndarray
    sole: np.ndarray
    shoe_height: float
    suit: np.ndarray | None  # brightness [3] of a suit over the clothes
    seed: int


def sample_outfit(rng: np.random.Generator, clothing: str = "street") -> Outfit:
    """Draw what one person wears; `clothing` is one of CLOTHING."""
    skin, lips, hair, iris = _sample_complexion(rng)
    long_haired = rng.random() < 0.4
    hair_style = pick(rng, LONG_HAIR if long_haired else SHORT_HAIR)
    beard = "" if long_haired else pick(rng, [(5, ""), (2, "stubble"), (1.5, "full"), (0.7, "moustache")])
    skirt = long_haired and rng.random() < 0.35
    top = _sample_cloth(rng, pick(rng, [(3, "colour"), (2, "neutral")]), 0.55)
    bottom = _sample_cloth(rng, pick(rng, [(3, "denim"), (4, "neutral"), (1.5, "colour")]), 0.12)
    for _ in range(10):
        if np.abs(np.sqrt(top.colour) - np.sqrt(bottom.colour)).max() > 0.22:
            break
        bottom = _sample_cloth(rng, pick(rng, [(1, "denim"), (2, "neutral")]), 0.1)
    if skirt and rng.random() < 0.5:
        bottom = top  # a dress
    sleeve = pick(rng, [(4, 0.55), (4, 1.88), (1, -0.02), (1, 1.25)]) + rng.uniform(-0.06, 0.06)
    leg_length = pick(rng, [(6, 1.88), (3, 0.72), (0.8, 1.45), (0.8, 0.35)]) + rng.uniform(-0.05, 0.05)
    hem = pick(rng, [(1, -0.01), (4, 0.10), (1.2, 0.17)]) + rng.uniform(-0.01, 0.02)
    neutral = [_hex(NEUTRAL_CLOTH[number]) for number in rng.integers(len(NEUTRAL_CLOTH), size=3)]
    return Outfit(
        skin=skin,
        lips=lips,
        hair=hair,
        hair_style=hair_style,
        beard=beard,
        iris=iris,
        cap=pick(rng, [(1, neutral[0]), (1, random_colour(rng))]),
        top=top,
        sleeve=sleeve,
        neckline=pick(rng, [(4, "crew"), (2, "v"), (1.5, "wide"), (1.5, "high")]),
        hem=-0.01 if skirt else hem,
        top_ease=pick(rng, [(2, 0.004), (3, 0.014), (2, 0.024)]),
        open_front=_sample_cloth(rng, "neutral", 0.2) if sleeve > 1.2 and rng.random() < 0.3 else None,
        print_colour=random_colour(rng) if top.pattern == "plain" and rng.random() < 0.3 else None,
        bottom=bottom,
        leg_length=rng.uniform(0.45, 1.5) if skirt else leg_length,
        bottom_ease=pick(rng, [(2, 0.003), (3, 0.012), (2, 0.024)]),
        skirt=skirt,
        side_stripe=_hex(NEUTRAL_CLOTH[rng.integers(2)]) if not skirt and rng.random() < 0.15 else None,
        belt=_hex(("2a1a10", "17120f", "4a2f1d")[rng.integers(3)]) if rng.random() < 0.35 else None,
        socks=skin if skirt and rng.random() < 0.7 else neutral[1],
        shoe=pick(rng, [(2, neutral[2]), (1, random_colour(rng)), (1, _hex("4a2f1d"))]),
        sole=_hex(("f4f2ee", "222326", "c7b08a")[rng.integers(3)]),
        shoe_height=pick(rng, [(4, 2.05), (1.5, 1.8), (0.5, 1.5)]),
        seed=int(rng.integers(2**31)),
        suit=rng.uniform(0.75, 1.0, 3) if clothing == "suit" else None,
    )


def _sample_complexion(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colours [3] of skin, lips, hair and iris."""
    place = rng.uniform(0, len(MONK_SCALE) - 2.4)
    low = int(place)
    skin = _hex(MONK_SCALE[low]) + (place - low) * (_hex(MONK_SCALE[low + 1]) - _hex(MONK_SCALE[low]))
    # the scale shows skin on a screen; in a lit scene skin is redder, and pale skin is less bright
    skin = skin * (np.array([0.86, 0.66, 0.55]) + np.clip(place / 6, 0, 1) * np.array([0.24, 0.28, 0.32]))
    lips = skin * rng.uniform([0.78, 0.42, 0.42], [0.98, 0.68, 0.68])
    dark = low >= 5
    hair = _hex(HAIR_COLOURS[rng.integers(0, 3)] if dark else HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))])
    iris = _hex(IRIS_COLOURS[0] if dark else IRIS_COLOURS[rng.integers(len(IRIS_COLOURS))])
    return skin, lips, hair * rng.uniform(0.85, 1.15), iris


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
