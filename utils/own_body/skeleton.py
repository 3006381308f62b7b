"""The names of SMPL's 24 joints, the joint that each hangs on, and the 24 parts of the skin that they move."""

import numpy as np

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
# The names of the 24 parts, in the order of the joints that move them.
PART_NAMES = (
    "hips", "leftUpLeg", "rightUpLeg", "spine", "leftLeg", "rightLeg", "spine1", "leftFoot", "rightFoot", "spine2",
    "leftToeBase", "rightToeBase", "neck", "leftShoulder", "rightShoulder", "head", "leftArm", "rightArm",
    "leftForeArm", "rightForeArm", "leftHand", "rightHand", "leftHandIndex1", "rightHandIndex1",
)  # fmt: skip
_OVERLAP = 0.25  # a vertex is in every part whose joint has this share of its motion


def opposite(name: str) -> str:
    """The name of the mirror image of a joint or landmark."""
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def subtree(joint: int) -> np.ndarray:
    """Indices of the joints that move when `joint` turns."""
    inside = np.zeros(len(PARENTS), bool)
    inside[joint] = True
    for child in range(joint + 1, len(PARENTS)):
        inside[child] |= inside[PARENTS[child]]
    return np.flatnonzero(inside)


def body_parts(weights: np.ndarray) -> dict:
    """Weights [V, 24] -> part name -> vertex ids; parts overlap at their borders, every vertex is in one at least."""
    strongest = np.eye(len(PARENTS), dtype=bool)[weights.argmax(axis=1)]
    inside = strongest | (weights > _OVERLAP)
    return {name: np.flatnonzero(inside[:, joint]).tolist() for joint, name in enumerate(PART_NAMES)}
