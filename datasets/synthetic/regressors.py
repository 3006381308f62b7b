"""Joint regressors of the mannequin: joints as weighted means of the skin around them.

A row holds the maximum-entropy weights (Sukumar, 2004): of all non-negative weights that sum to one and reproduce
the joint exactly, those closest to a Gaussian around it. Rows are mirror-symmetric.
"""

import numpy as np
from scipy.special import logsumexp

from datasets.synthetic.skeleton import JOINT_NAMES, opposite, point

_SPREADS = (0.015, 0.02, 0.03, 0.045, 0.06)  # metres: the narrowest Gaussian that surrounds the joint is taken
_LARGEST = 0.15  # no single vertex may carry a joint
_STEEPEST = 30.0  # of the exponential tilt: beyond, the support does not surround the joint
_SMALLEST = 1e-4  # weights below are dropped before the fit, which keeps rows sparse

# Rows 24 to 37 of the stacked regressor [J_regressor; J_regressor_extra].
EXTRA_JOINTS = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear", "lsp_right_hip", "lsp_left_hip", "neck_base",
    "head_top", "hips_centre", "thorax", "belly", "jaw", "head_centre",
)  # fmt: skip
LSP_JOINTS = (
    "right_ankle", "right_knee", "lsp_right_hip", "lsp_left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck_base", "head_top",
)  # fmt: skip
# The 17 joints of Human3.6M, in the order of the J_regressor_h36m.npy that SPIN and GraphCMR use: left leg first.
H36M_JOINTS = (
    "hips_centre", "lsp_left_hip", "left_knee", "left_ankle", "lsp_right_hip", "right_knee", "right_ankle", "belly",
    "thorax", "jaw", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
    "right_wrist",
)  # fmt: skip


def regressor(names, vertices: np.ndarray, mirror: np.ndarray, places: dict | None = None) -> np.ndarray:
    """[N, V] float64: one row per name.

    Args:
        names: joints or landmarks of datasets.synthetic.skeleton.
        vertices: [V, 3] metres, rest pose; mirror: [V] the mirror image of each vertex.
        places: name -> [3], where the joints are if not at the neutral body's places.
    """
    return np.stack([_row(name, vertices, mirror, places or {}) for name in names])


def skeleton_regressor(vertices: np.ndarray, mirror: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[24, V] float64: the rows of the SMPL joints; places [24, 3]."""
    return regressor(JOINT_NAMES, vertices, mirror, dict(zip(JOINT_NAMES, places, strict=True)))


def _row(name: str, vertices: np.ndarray, mirror: np.ndarray, places: dict) -> np.ndarray:
    if "right" in name:
        return _row(opposite(name), vertices, mirror, places)[mirror]
    target = places.get(name, point(name))
    for spread in _SPREADS:
        weights = _maximum_entropy(vertices - target, spread)
        if weights is not None:
            return weights if "left" in name else 0.5 * (weights + weights[mirror])
    raise ValueError(f"{name} at {target} does not lie inside the body")


def _maximum_entropy(offsets: np.ndarray, spread: float) -> np.ndarray | None:
    """[V] weights with zero mean offset, or None where the Gaussian's support does not surround the joint."""
    squared = (offsets**2).sum(axis=1)
    logarithm = (squared.min() - squared) / (2 * spread**2)
    support = np.flatnonzero(logarithm > np.log(_SMALLEST))
    offsets, logarithm = offsets[support] / spread, logarithm[support]
    tilt = np.zeros(3)
    for _ in range(60):
        weights = np.exp(logarithm + offsets @ tilt - logsumexp(logarithm + offsets @ tilt))
        mean = weights @ offsets
        if np.abs(mean).max() < 1e-12 or np.linalg.norm(tilt) > _STEEPEST:
            break
        spread_matrix = (weights[:, None] * offsets).T @ offsets - np.outer(mean, mean) + 1e-9 * np.eye(3)
        step = -np.linalg.solve(spread_matrix, mean)
        tilt = tilt + step / max(1.0, np.linalg.norm(step) / 2)
    if np.abs(mean).max() > 1e-10 or weights.max() > _LARGEST:
        return None
    row = np.zeros(len(squared))
    row[support] = weights
    return row
