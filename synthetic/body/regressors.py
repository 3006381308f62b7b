"""Joint regressors of the mannequin: joints as weighted means of the skin around them, mirror-symmetric."""

import numpy as np

from synthetic.body.skeleton import point
from utils.joints import SMPL_JOINTS, opposite
from utils.own_body.regressors import inner_row


def regressor(names, vertices: np.ndarray, mirror: np.ndarray, places: dict | None = None) -> np.ndarray:
    """[N, V] float64: one row per name.

    Args:
        names: joints or landmarks of synthetic.body.skeleton.
        vertices: [V, 3] metres, rest pose; mirror: [V] the mirror image of each vertex.
        places: name -> [3], where the joints are if not at the neutral body's places.
    """
    return np.stack([_row(name, vertices, mirror, places or {}) for name in names])


def skeleton_regressor(vertices: np.ndarray, mirror: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[24, V] float64: the rows of the SMPL joints; places [24, 3]."""
    return regressor(SMPL_JOINTS, vertices, mirror, dict(zip(SMPL_JOINTS, places, strict=True)))


def _row(name: str, vertices: np.ndarray, mirror: np.ndarray, places: dict) -> np.ndarray:
    if "right" in name:
        return _row(opposite(name), vertices, mirror, places)[mirror]
    target = places.get(name, point(name))
    weights = inner_row(vertices, target)
    if weights is None:
        raise ValueError(f"{name} at {target} does not lie inside the body")
    return weights if "left" in name else 0.5 * (weights + weights[mirror])
