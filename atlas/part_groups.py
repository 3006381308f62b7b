"""The six parts of the body that LSP's part images show, and the part of each triangle.

Part images hold 0 for the background and 1 to 6 for the parts, in the order of PART_GROUPS. A triangle belongs to the
group of most of its corners, by the body's segmentation file.
"""

import numpy as np

PART_GROUPS = {
    "head": ("head", "neck"),
    "torso": ("hips", "spine", "spine1", "spine2", "leftShoulder", "rightShoulder"),
    "left arm": ("leftArm", "leftForeArm", "leftHand", "leftHandIndex1"),
    "right arm": ("rightArm", "rightForeArm", "rightHand", "rightHandIndex1"),
    "left leg": ("leftUpLeg", "leftLeg", "leftFoot", "leftToeBase"),
    "right leg": ("rightUpLeg", "rightLeg", "rightFoot", "rightToeBase"),
}


def part_labels(faces: np.ndarray, vertex_count: int, parts: dict) -> np.ndarray:
    """[F] uint8: the number, from 1, of the group in PART_GROUPS of most corners of a triangle; 0 for no group.

    The first group counts if several have as many corners.
    """
    member = np.zeros((vertex_count, len(PART_GROUPS)), int)
    for column, names in enumerate(PART_GROUPS.values()):
        for name in names:
            member[np.asarray(parts[name], np.int64), column] = 1
    corners = member[faces].sum(axis=1)
    return np.where(corners.any(axis=1), corners.argmax(axis=1) + 1, 0).astype(np.uint8)
