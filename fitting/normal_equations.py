"""The normal equations of a Gauss-Newton step, from moments of the vertices.

The unknowns are a turn w of each joint in space, G_k -> exp(w_k) G_k, the change of betas and that of the translation:
24 * 3 + 10 + 3 = 85. The Jacobian of a vertex, [3, 85], is analytic. Products of its columns are linear in the moments
of `fitting.parts`, so it is never written out. Pose blend shapes count as constant within a step, and each step takes
those of its own pose: a true mesh is still reproduced exactly, after one or two steps more.
"""

import numpy as np

from fitting.kinematics import Posed, Tree, feature_map
from fitting.parts import JOINT_FEATURES, NUM_FEATURES, SHAPE_FEATURES
from utils.body_model import NUM_BETAS
from utils.joints import NUM_JOINTS

TURNS = slice(0, 3 * NUM_JOINTS)
BETAS = slice(TURNS.stop, TURNS.stop + NUM_BETAS)
TRANSLATION = slice(BETAS.stop, BETAS.stop + 3)
NUM_UNKNOWNS = TRANSLATION.stop

_SHAPE = slice(TURNS.stop, TURNS.stop + SHAPE_FEATURES)  # of the mapped moments
_ONE, _RESIDUAL = _SHAPE.stop, slice(_SHAPE.stop + 1, _SHAPE.stop + 4)


def normal_equations(tree: Tree, posed: Posed, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moments [N, F, F] of the weighted vertices -> J^T W J [N, 85, 85] and J^T W r [N, 85]."""
    mapped = _map_moments(tree, posed, moments)
    count = len(mapped)
    matrix, right = np.empty((count, NUM_UNKNOWNS, NUM_UNKNOWNS)), np.empty((count, NUM_UNKNOWNS))
    levers = mapped[:, TURNS].reshape(count, NUM_JOINTS, 3, -1)

    # d vertex = w_a x lever_a, and (w x p).(v x q) = (w.v)(p.q) - (w.q)(v.p)
    between = levers[..., TURNS].reshape(count, NUM_JOINTS, 3, NUM_JOINTS, 3)
    dots = np.einsum("naibi->nab", between)
    turns = dots[:, :, None, :, None] * np.eye(3)[:, None] - between.swapaxes(2, 4)
    matrix[:, TURNS, TURNS] = turns.reshape(count, TURNS.stop, TURNS.stop)

    # (w x p).d = w.(p x d), for the columns d of betas and of the translation, and for the residual
    by_shape = levers[..., _SHAPE].reshape(count, NUM_JOINTS, 3, 3, NUM_BETAS)
    by_place = levers[..., _ONE, None, None] * np.eye(3)
    matrix[:, TURNS, BETAS] = _cross(by_shape).reshape(count, TURNS.stop, NUM_BETAS)
    matrix[:, TURNS, TRANSLATION] = _cross(by_place).reshape(count, TURNS.stop, 3)
    right[:, TURNS] = _cross(levers[..., _RESIDUAL]).reshape(count, TURNS.stop)

    shape = mapped[:, _SHAPE].reshape(count, 3, NUM_BETAS, -1)
    squares = shape[..., _SHAPE].reshape(count, 3, NUM_BETAS, 3, NUM_BETAS)
    matrix[:, BETAS, BETAS] = np.einsum("ncbcd->nbd", squares)
    matrix[:, BETAS, TRANSLATION] = shape[..., _ONE].swapaxes(1, 2)
    right[:, BETAS] = np.einsum("ncbc->nb", shape[..., _RESIDUAL])

    matrix[:, TRANSLATION, TRANSLATION] = mapped[:, _ONE, _ONE, None, None] * np.eye(3)
    right[:, TRANSLATION] = mapped[:, _ONE, _RESIDUAL]
    for rows, columns in ((BETAS, TURNS), (TRANSLATION, TURNS), (TRANSLATION, BETAS)):
        matrix[:, rows, columns] = matrix[:, columns, rows].swapaxes(1, 2)
    return matrix, right


def _map_moments(tree: Tree, posed: Posed, moments: np.ndarray) -> np.ndarray:
    """Moments of the features -> those of the levers [24 * 3], the shape derivatives [3 * 10], 1 and the residual."""
    joints = feature_map(tree, posed)
    whole = np.zeros((len(joints), NUM_FEATURES, _RESIDUAL.stop))
    whole[:, :JOINT_FEATURES, : joints.shape[2]] = joints
    whole[:, JOINT_FEATURES:, TURNS.stop :] = np.eye(NUM_FEATURES - JOINT_FEATURES)
    return whole.swapaxes(1, 2) @ moments @ whole


def _cross(products: np.ndarray) -> np.ndarray:
    """Sums of products of two vectors [N, 24, 3, 3, ...] -> the sums of their cross products [N, 24, 3, ...]."""
    ahead, behind = (1, 2, 0), (2, 0, 1)
    return products[:, :, ahead, behind] - products[:, :, behind, ahead]
