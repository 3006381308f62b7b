"""The 24 joints of a motion as files of animation want them: rotations at the joints, and the place of the root.

SMPL turns a body about its root joint, the pelvis: x becomes R (x - pelvis) + pelvis + translation, where `pelvis` is
that of the body at rest. To turn the whole scene by S therefore replaces R by S R, and the place of the root by S
(pelvis + translation).
"""

from dataclasses import dataclass

import numpy as np

from utils.body_model import BodyModel, shape_vertices
from utils.camera import upright
from utils.joints import ROOT
from utils.rotations import rotation_matrices

UPRIGHT = upright(np.eye(3))  # camera space -> y up and z towards the viewer, half a turn about x


@dataclass(frozen=True)
class Skeleton:
    """The joints of one person over T frames, metres."""

    rest: np.ndarray  # [24, 3]: the joints of the body at rest, y up, facing +z
    rotations: np.ndarray  # [T, 24, 3, 3]: relative to the parent, of the root: in space
    root_places: np.ndarray  # [T, 3]


def move_skeleton(
    model: BodyModel, betas: np.ndarray, pose: np.ndarray, translation: np.ndarray, turn: np.ndarray = UPRIGHT
) -> Skeleton:
    """The skeleton of betas [10], pose [T, 24, 3] (axis-angle) and translation [T, 3], turned as a whole by [3, 3]."""
    rest = model.joint_regressor @ shape_vertices(model, betas)
    rotations = rotation_matrices(np.asarray(pose, np.float64))
    rotations[:, ROOT] = turn @ rotations[:, ROOT]
    return Skeleton(rest, rotations, (rest[ROOT] + np.asarray(translation, np.float64)) @ turn.T)
