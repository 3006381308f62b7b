"""Adults of MakeHuman: its shape targets mixed by sex, age, muscle, weight, height, proportions and origin.

MakeHuman has a target for each combination, such as universal-male-young-maxmuscle-averageweight. The share of a target
is the product of the shares of its terms; between two terms the shares run linearly (macro.json beside the targets).
Height and proportions have no target for the average, which is the base mesh.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from synthetic.body.makehuman import MakeHuman

ORIGINS = ("african", "asian", "caucasian")
# the names of a feature at -1, 0 and +1; "" has no target
_MUSCLE = ("minmuscle", "averagemuscle", "maxmuscle")
_WEIGHT = ("minweight", "averageweight", "maxweight")
_HEIGHT = ("minheight", "", "maxheight")
_PROPORTIONS = ("uncommonproportions", "", "idealproportions")


@dataclass(frozen=True)
class Adult:
    """male: 0 woman, 1 man. old: 0 at 25 years, 1 at 90. muscle, weight, height, proportions: -1 to 1, 0 average.

    origins: shares [3] of ORIGINS, which sum to one.
    """

    male: float = 0.5
    old: float = 0.0
    muscle: float = 0.0
    weight: float = 0.0
    height: float = 0.0
    proportions: float = 0.0
    origins: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)


def target_shares(adult: Adult) -> dict[str, float]:
    """Target below the folder macrodetails -> its share in this adult; those of share 0 are left out."""
    sex_and_age = [
        (f"{sex}-{age}", share * part)
        for sex, share in (("female", 1 - adult.male), ("male", adult.male))
        for age, part in (("young", 1 - adult.old), ("old", adult.old))
    ]
    builds = [
        (f"{muscle}-{weight}", share * part)
        for (muscle, share), (weight, part) in itertools.product(
            _steps(_MUSCLE, adult.muscle), _steps(_WEIGHT, adult.weight)
        )
    ]
    shares = {
        f"{origin}-{person}": part * share
        for (person, share), (origin, part) in itertools.product(sex_and_age, zip(ORIGINS, adult.origins, strict=True))
    }
    for (person, share), (build, part) in itertools.product(sex_and_age, builds):
        shares[f"universal-{person}-{build}"] = share * part
        for folder, steps in (
            ("height", _steps(_HEIGHT, adult.height)),
            ("proportions", _steps(_PROPORTIONS, adult.proportions)),
        ):
            shares |= {f"{folder}/{person}-{build}-{name}": share * part * size for name, size in steps if name}
    return {name: share for name, share in shares.items() if share}


def shape_adults(data: MakeHuman, adults: list[Adult], wanted: np.ndarray) -> np.ndarray:
    """The places [A, n, 3] metres of the vertices `wanted` [n] of the base mesh, for each adult."""
    shares = [target_shares(adult) for adult in adults]
    names = sorted(set().union(*shares))
    targets = np.stack([data.target(f"macrodetails/{name}")[wanted] for name in names])
    table = np.array([[share.get(name, 0.0) for name in names] for share in shares])
    return data.mesh.vertices[wanted] + np.tensordot(table, targets, 1)


def _steps(names: tuple[str, str, str], value: float) -> list[tuple[str, float]]:
    """The terms between which a value from -1 to 1 lies, with their shares."""
    end = names[2] if value > 0 else names[0]
    return [(names[1], 1 - abs(value)), (end, abs(value))]
