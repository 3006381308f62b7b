"""The 24 parts of the skin that SMPL's joints move, and the joints that move together."""

import numpy as np

from utils.joints import PARENTS, SMPL_JOINTS

JOINT_NAMES = SMPL_JOINTS  # scripts that follow earlier versions of docs/own_body.md import this name
# The names of the 24 parts, in the order of the joints that move them.
PART_NAMES = (
    "hips", "leftUpLeg", "rightUpLeg", "spine", "leftLeg", "rightLeg", "spine1", "leftFoot", "rightFoot", "spine2",
    "leftToeBase", "rightToeBase", "neck", "leftShoulder", "rightShoulder", "head", "leftArm", "rightArm",
    "leftForeArm", "rightForeArm", "leftHand", "rightHand", "leftHandIndex1", "rightHandIndex1",
)  # fmt: skip
_OVERLAP = 0.25  # a vertex belongs to every part whose joint has this share of its motion


def subtree(joint: int) -> np.ndarray:
    """Indices of the joints that move when `joint` turns."""
    inside = np.zeros(len(PARENTS), bool)
    inside[joint] = True
    for child in range(joint + 1, len(PARENTS)):
        inside[child] |= inside[PARENTS[child]]
    return np.flatnonzero(inside)


def body_parts(weights: np.ndarray) -> dict:
    """Weights [V, 24] -> part name -> vertex ids. Parts overlap at borders, and each vertex is in at least one."""
    strongest = np.eye(len(PARENTS), dtype=bool)[weights.argmax(axis=1)]
    inside = strongest | (weights > _OVERLAP)
    return {name: np.flatnonzero(inside[:, joint]).tolist() for joint, name in enumerate(PART_NAMES)}
