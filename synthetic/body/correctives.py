"""Pose correctives of the generated body, which keep its volume where it bends.

Linear blend skinning loses volume where a joint bends or twists. Dual quaternion skinning (Kavan et al., 2007) keeps
it: for a single joint it is a rotation about that joint by the blended quaternion. `posedirs` is the least-squares fit
of the difference to the nine numbers of R - I of each joint.
"""

import itertools

import numpy as np
from scipy.spatial.transform import Rotation

from utils.joints import NUM_JOINTS, SMPL_FLIP
from utils.own_body.skeleton import subtree

_ANGLES = np.radians((35, 70, 105))  # of the rotations that the correctives are fitted to
_RIDGE = 0.05


def pose_correctives(vertices: np.ndarray, mirror: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """[V, 3, 207] float64, metres: per-vertex offsets, linear in vec(R_1..23 - I), row-major.

    vertices [V, 3] and joints [24, 3] at rest; mirror [V]: the mirror image of each vertex; weights [V, 24].
    """
    axes = np.array([axis for axis in itertools.product((-1, 0, 1), repeat=3) if any(axis)], np.float64)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    rotations = Rotation.from_rotvec((axes[:, None] * _ANGLES[:, None]).reshape(-1, 3))
    features = (rotations.as_matrix() - np.eye(3)).reshape(-1, 9)
    fit = np.linalg.solve(features.T @ features + _RIDGE * np.eye(9), features.T)  # [9, S]
    directions = np.zeros((len(weights), 3, 23, 9))
    for joint in range(1, NUM_JOINTS):
        share = weights[:, subtree(joint)].sum(axis=1)
        bent = np.flatnonzero((share > 1e-6) & (share < 1 - 1e-6))
        offsets = _volume_offsets(vertices[bent] - joints[joint], share[bent], rotations)
        directions[bent, :, joint - 1] = np.einsum("ks,snc->nck", fit, offsets)
    mirrored = _mirror_correctives(directions, mirror)
    return (0.5 * (directions + mirrored)).reshape(len(weights), 3, 207)


def _volume_offsets(arms: np.ndarray, share: np.ndarray, rotations: Rotation) -> np.ndarray:
    """Offsets [S, N, 3] at rest that make linear blending give the positions of quaternion blending.

    arms: [N, 3] vertices relative to the joint; share: [N] of the weight that turns with the joint.
    """
    turn = rotations.as_matrix()[:, None]
    blended = (1 - share)[:, None, None] * np.eye(3) + share[:, None, None] * turn  # [S, N, 3, 3]
    quaternion = rotations.as_quat()[:, None] * share[:, None]
    quaternion[..., 3] += 1 - share
    whole = Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix().reshape(blended.shape)
    change = np.linalg.solve(blended, whole) - np.eye(3)
    return np.einsum("snij,nj->sni", change, arms)


def _mirror_correctives(directions: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The correctives [V, 3, 23, 9] of the mirror image: R becomes S R S and offsets S d, S = diag(-1, 1, 1)."""
    sign = np.array([-1.0, 1.0, 1.0])
    swapped = directions[mirror][:, :, SMPL_FLIP[1:] - 1]
    return swapped * sign[None, :, None, None] * np.outer(sign, sign).ravel()
