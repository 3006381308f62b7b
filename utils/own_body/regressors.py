"""Joint regressors for any body: joints as weighted means of the skin around them.

Rows are non-negative and sum to one. A row holds the maximum-entropy weights (Sukumar, 2004): of all non-negative
weights that sum to one and reproduce the joint exactly, those closest to a Gaussian around it. The places of the
joints come from a rig. Without a rig, a joint is in the middle of the skin that moves with it and with its parent.
"""

import numpy as np
from scipy.optimize import nnls
from scipy.special import logsumexp

from utils.errors import UserError
from utils.joints import EXTRA_JOINTS, LSP_JOINTS, PARENTS, ROOT, SMPL_JOINTS, row_names
from utils.own_body.landmarks import Places
from utils.own_body.skeleton import subtree

_SPREADS = (0.015, 0.02, 0.03, 0.045, 0.06)  # metres; the narrowest Gaussian whose support surrounds the joint is used
_LARGEST = 0.15  # largest weight of one vertex: no vertex may make up a joint alone
_STEEPEST = 30.0  # largest exponential tilt; beyond it, the support does not surround the joint
_SMALLEST = 1e-4  # smaller weights are dropped before the fit, so that rows stay sparse
_NEAREST = 30  # number of vertices whose mean may be a place on the skin
_FIRM = 100.0  # weight of the condition that weights sum to one, against metres from the place on the skin


def joint_places(vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The places of the joints, [24, 3] metres, by the skin alone: vertices [V, 3], faces [F, 3], weights [V, 24].

    The joints of a rig are better, if there is one.
    """
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    area = np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))
    places = np.zeros((len(PARENTS), 3))
    for joint in range(1, len(PARENTS)):
        share = weights[:, subtree(joint)].sum(axis=1)
        border = area * share * weights[:, PARENTS[joint]]
        if border.sum() <= 0:
            raise UserError(
                f"No vertex moves both with {SMPL_JOINTS[joint]} and {SMPL_JOINTS[PARENTS[joint]]}, so the weights do "
                "not say where that joint is. Give the joints of the rig."
            )
        places[joint] = border @ vertices / border.sum()
    places[ROOT] = places[PARENTS == ROOT].mean(axis=0)  # between the hips and the first joint of the spine
    return places


def joint_regressor(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """J_regressor [24, V] of a body at rest: vertices [V, 3], joints [24, 3], metres."""
    return np.stack([row(vertices, place) for place in joints])


def extra_regressor(vertices: np.ndarray, places: Places) -> np.ndarray:
    """The content of J_regressor_extra.npy, [14, V]; `places` are those of utils.own_body.landmarks.find_places."""
    return np.stack([row(vertices, places[name]) for name in EXTRA_JOINTS])


def lsp_regressor(vertices: np.ndarray, places: Places) -> np.ndarray:
    """The content of smpl2lsp_j_regressor_nt_v2.npy, [V, 14] float32; `places` as for `extra_regressor`."""
    return np.stack([row(vertices, places[name]) for name in row_names(LSP_JOINTS)], axis=1).astype(np.float32)


def row(vertices: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Weights [V] of vertices [V, 3] whose mean is at `place` [3], or the nearest place on the skin or inside it."""
    inside = inner_row(vertices, place)
    if inside is not None:
        return inside
    nearest = np.argsort(np.linalg.norm(vertices - place, axis=1))[:_NEAREST]
    system = np.vstack([(vertices[nearest] - place).T, np.full(len(nearest), _FIRM)])
    weights = np.zeros(len(vertices))
    weights[nearest] = nnls(system, np.array([0, 0, 0, _FIRM]))[0]
    return weights / weights.sum()


def inner_row(vertices: np.ndarray, place: np.ndarray) -> np.ndarray | None:
    """Weights [V], none of them large, whose mean of vertices [V, 3] (metres) is exactly at `place` [3].

    None if the skin does not surround the place closely.
    """
    for spread in _SPREADS:
        weights = _maximum_entropy(vertices - place, spread)
        if weights is not None:
            return weights
    return None


def _maximum_entropy(offsets: np.ndarray, spread: float) -> np.ndarray | None:
    """[V] weights with zero mean offset; None if the Gaussian's support does not surround the joint."""
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
