"""The T pose that SMPL's rotations start from: check that a body is in it, and bring a body into it.

The poses of every data set say how far each bone is turned from the T pose. A body whose arms hang at rest would turn
them down by 80 degrees more, into its thighs.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from utils.errors import UserError
from utils.joints import PARENTS, ROOT, SMPL_JOINTS
from utils.own_body.stance import axis_name, check_height
from utils.rotations import rotation_matrices

LEFT = np.array([1.0, 0.0, 0.0])
SLOPE = 25.0  # degrees from horizontal; SMPL's own arms slope by a few
UNSUMMED = 1e-3  # the error in a sum of weights that were written with few decimals
# joint -> the joint at the other end of its bone
_ARM = (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))


def t_pose(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The body with horizontal, straight arms by its skinning weights; nothing else moves.

    Args:
        vertices: [V, 3], y up, facing +z. joints: [24, 3], SMPL's order. weights: [V, 24], rows that sum to one.
    Returns:
        vertices [V, 3], joints [24, 3].
    """
    return turn_parts(vertices, joints, weights, straight_arms(joints))


def straight_arms(joints: np.ndarray) -> np.ndarray:
    """Turns [24, 3, 3] of the joints' flesh, in the axes of the body, that make the arms horizontal and straight."""
    turns = np.tile(np.eye(3), (len(PARENTS), 1, 1))
    for side, outward in (("left", LEFT), ("right", -LEFT)):
        for start, end in _ARM:
            bone = joints[_number(side, end)] - joints[_number(side, start)]
            turns[_number(side, start)] = _shortest_turn(bone, outward)
        turns[_number(side, "hand")] = turns[_number(side, "wrist")]
    return turns


def turn_parts(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, turns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the flesh of each joint, [24, 3, 3] in the axes of the body, where the joints before it have carried it.

    By dual quaternion skinning (Kavan et al., "Geometric Skinning with Approximate Dual Quaternion Blending", 2008): it
    keeps the volume, where linear blending would make shoulders thin. Returns vertices [V, 3], joints [24, 3].
    """
    moved = joints.astype(np.float64)
    for joint in range(1, len(PARENTS)):
        parent = PARENTS[joint]
        moved[joint] = moved[parent] + turns[parent] @ (joints[joint] - joints[parent])
    shifts = moved - np.einsum("jab,jb->ja", turns, joints)
    real = Rotation.from_matrix(turns).as_quat()  # x, y, z, w
    real *= np.where(real[:, 3:] < 0, -1.0, 1.0)
    dual = 0.5 * np.column_stack(
        [real[:, 3:] * shifts + np.cross(shifts, real[:, :3]), -(shifts * real[:, :3]).sum(axis=1)]
    )
    real, dual = weights @ real, weights @ dual
    size = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / size, dual / size
    shift = 2 * (real[:, 3:] * dual[:, :3] - dual[:, 3:] * real[:, :3] + np.cross(real[:, :3], dual[:, :3]))
    return Rotation.from_quat(real).apply(vertices) + shift, moved


def check_rest_pose(vertices: np.ndarray, joints: np.ndarray, where) -> None:
    """UserError unless a body at rest (vertices [V, 3], joints [24, 3]) of the file `where` is in the T pose of SMPL.

    Height in metres, y up, facing +z, the person's left at +x, arms outward.
    """
    up = joints[SMPL_JOINTS.index("head")] - joints[ROOT]
    left = joints[_number("left", "shoulder")] - joints[_number("right", "shoulder")]
    toes = sum(joints[_number(side, "foot")] - joints[_number(side, "ankle")] for side in ("left", "right"))
    found = [axis_name(left), axis_name(up)]
    if found != ["+x", "+y"] or toes[2] < -np.linalg.norm(toes) / 2:
        front = "-z" if found == ["+x", "+y"] else axis_name(np.cross(left, up))
        raise UserError(
            f"{where}: by its joints the body stands along {found[1]}, has its left at {found[0]} and faces {front}, "
            "expected +y, +x and +z. Turn or rename it; see docs/own_body.md."
        )
    try:
        check_height(np.ptp(vertices[:, 1]))
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    slope = arm_slopes(joints).max()
    if slope > SLOPE:
        raise UserError(
            f"{where}: an arm is {slope:.0f} degrees from horizontal at rest, expected a T pose. "
            "Put the body into it with utils.own_body.rest_pose.t_pose; see docs/own_body.md."
        )


def check_weights(weights: np.ndarray, where) -> None:
    """UserError unless the weights [V, 24] of every vertex are not negative and sum to one; `where`: their file."""
    wrong = np.flatnonzero((np.abs(weights.sum(axis=1) - 1) > UNSUMMED) | (weights.min(axis=1) < -UNSUMMED))
    if wrong.size:
        raise UserError(
            f"{where}: the weights of {wrong.size} vertices, the first {wrong[0]}, are negative or sum to "
            f"{weights[wrong[0]].sum():.3g}, expected 1. Give every vertex to a joint, then divide by the sums."
        )


def arm_slopes(joints: np.ndarray) -> np.ndarray:
    """How far the upper arms and forearms are from pointing straight out to their side: [4] degrees."""
    slopes = []
    for side, outward in (("left", LEFT), ("right", -LEFT)):
        for start, end in _ARM[:2]:
            bone = joints[_number(side, end)] - joints[_number(side, start)]
            slopes.append(np.degrees(np.arccos(np.clip(bone @ outward / np.linalg.norm(bone), -1, 1))))
    return np.array(slopes)


def _number(side: str, name: str) -> int:
    return SMPL_JOINTS.index(f"{side}_{name}")


def _shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The rotation [3, 3] by the smallest angle that turns one direction [3] to another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    return rotation_matrices(axis * (np.arctan2(sine, start @ end) / max(sine, 1e-12)))
