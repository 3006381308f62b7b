"""A first guess in closed form: each part of the mean body is turned onto its vertices, from the root outwards.

Source of the alignment: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
"""

import numpy as np

from fitting.kinematics import Tree
from fitting.parts import JOINT_FEATURES, NUM_FEATURES
from utils.joints import NUM_JOINTS

_ONE, _TARGET = NUM_FEATURES - 4, slice(NUM_FEATURES - 3, None)


def align_parts(tree: Tree, moments: np.ndarray, pull: float) -> np.ndarray:
    """Rotations in space [N, 24, 3, 3] of the parts.

    moments [N, F, F] are those of the mean body, with the vertices to be fitted as the residual. `pull`, in square
    metres times the weight of the vertices, draws each rotation to its parent's: it decides for parts without vertices,
    or with too few.
    """
    count = len(moments)
    joints = moments[:, :JOINT_FEATURES].reshape(count, NUM_JOINTS, 4, -1)
    spread = _centred_products(joints[:, :, :3, _TARGET], joints[..., :3, _ONE], joints[:, :, 3, _TARGET],
                               joints[:, :, 3, _ONE])  # fmt: skip
    whole = _centred_products(*(values.sum(1) for values in (joints[:, :, :3, _TARGET], joints[..., :3, _ONE],
                              joints[:, :, 3, _TARGET], joints[:, :, 3, _ONE])))  # fmt: skip
    rotations = np.empty((count, NUM_JOINTS, 3, 3))
    for joint, parent in enumerate(tree.parents):
        above = nearest_rotations(whole) if parent < 0 else rotations[:, parent]
        rotations[:, joint] = nearest_rotations(spread[:, joint] + pull * above)
    return rotations


def _centred_products(products, places, targets, weights) -> np.ndarray:
    """Sums of w x y^T [..., 3, 3], w x and w y [..., 3], w [...] -> sums of w (y - mean) (x - mean)^T."""
    share = np.divide(targets, weights[..., None], out=np.zeros_like(targets), where=weights[..., None] > 0)
    return products.swapaxes(-1, -2) - share[..., :, None] * places[..., None, :]


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """Matrices [..., 3, 3] -> the rotation R that has the largest trace of R^T M; never a mirror image."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., -1] *= np.where(np.linalg.det(u @ vt) < 0, -1, 1)[..., None]
    return u @ vt
