"""What is known of people before a mesh is seen: betas are about normal, and joints turn within ranges.

Both are weak: they decide where a mesh says little (noise, hidden limbs, the turn of a round limb about its axis).
"""

import numpy as np
from scipy.spatial.transform import Rotation

from fitting.kinematics import Tree, relative_rotations
from fitting.normal_equations import BETAS, NUM_UNKNOWNS
from utils.joints import NUM_JOINTS, ROOT, SMPL_JOINTS

BETA_SPREAD = 1.0  # SMPL's betas are in units of the standard deviation
TURN_SPREAD = 0.6  # radians, of each component of a joint's axis-angle vector
RANGE_SPREAD = 0.3  # radians beyond a joint's range

# Degrees of the axis-angle components x, y, z in SMPL's T pose (x to the person's left, y up, z ahead), for the middle
# and the left side; on the right y and z have the other sign. They are ranges of anatomy (knee and elbow bend one way),
# widened, since large turns about several axes mix the components. The generated photographs' poses are within them.
RANGES = {
    "hip": ((-160, 70), (-80, 80), (-50, 100)),
    "knee": ((-15, 170), (-60, 60), (-40, 40)),
    "ankle": ((-70, 70), (-60, 60), (-50, 50)),
    "foot": ((-60, 60), (-40, 40), (-40, 40)),
    "spine1": ((-50, 90), (-50, 50), (-50, 50)),
    "spine2": ((-50, 70), (-50, 50), (-50, 50)),
    "spine3": ((-50, 70), (-50, 50), (-50, 50)),
    "neck": ((-70, 70), (-70, 70), (-60, 60)),
    "head": ((-60, 60), (-70, 70), (-60, 60)),
    "collar": ((-50, 50), (-50, 50), (-50, 50)),
    "shoulder": ((-165, 165), (-150, 100), (-130, 130)),
    "elbow": ((-120, 120), (-170, 30), (-90, 90)),
    "wrist": ((-100, 100), (-80, 80), (-100, 100)),
    "hand": ((-60, 60), (-60, 60), (-90, 90)),
}


def _joint_ranges() -> np.ndarray:
    ranges = np.zeros((NUM_JOINTS, 3, 2))
    for joint, name in enumerate(SMPL_JOINTS):
        if joint != ROOT:
            degrees = np.array(RANGES[name.removeprefix("left_").removeprefix("right_")], float)
            if name.startswith("right_"):
                degrees[1:] = -degrees[1:, ::-1]
            ranges[joint] = np.radians(degrees)
    return ranges


JOINT_RANGES = _joint_ranges()  # [24, 3, 2], radians: lowest and highest; the root's is not used


def beyond_range(pose: np.ndarray) -> np.ndarray:
    """Pose [N, 24, 3] -> how far each component is above (below: negative) its range, radians; 0 for the root."""
    beyond = pose - np.clip(pose, JOINT_RANGES[..., 0], JOINT_RANGES[..., 1])
    beyond[:, ROOT] = 0
    return beyond


def pose_of(tree: Tree, rotations: np.ndarray) -> np.ndarray:
    """Rotations in space [N, 24, 3, 3] -> SMPL's pose [N, 24, 3], axis-angle."""
    relative = relative_rotations(tree, rotations)
    return Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec().reshape(*relative.shape[:2], 3)


def prior_cost(pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the prior, but for a constant: pose [N, 24, 3], betas [N, 10] -> [N]."""
    turns, beyond, betas = pose[:, 1:] / TURN_SPREAD, beyond_range(pose) / RANGE_SPREAD, betas / BETA_SPREAD
    return ((turns**2).sum((1, 2)) + (beyond**2).sum((1, 2)) + (betas**2).sum(1)) / 2


def prior_equations(
    tree: Tree, rotations: np.ndarray, pose: np.ndarray, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of `prior_cost` in the normal equations, [N, 85, 85] and [N, 85]."""
    count = len(pose)
    matrix, right = np.zeros((count, NUM_UNKNOWNS, NUM_UNKNOWNS)), np.zeros((count, NUM_UNKNOWNS))
    beyond = beyond_range(pose)
    stiffness = 1 / TURN_SPREAD**2 + (beyond != 0) / RANGE_SPREAD**2
    pull = pose / TURN_SPREAD**2 + beyond / RANGE_SPREAD**2
    for joint, parent in enumerate(tree.parents):
        if parent < 0:
            continue
        # d pose_k = turn (w_k - w_parent)
        turn = _inverse_left_jacobian(pose[:, joint]) @ rotations[:, parent].swapaxes(-1, -2)
        block = turn.swapaxes(-1, -2) @ (stiffness[:, joint, :, None] * turn)
        force = (turn.swapaxes(-1, -2) @ pull[:, joint, :, None])[..., 0]
        mine, above = slice(3 * joint, 3 * joint + 3), slice(3 * parent, 3 * parent + 3)
        matrix[:, mine, mine] += block
        matrix[:, above, above] += block
        matrix[:, mine, above] -= block
        matrix[:, above, mine] -= block
        right[:, mine] -= force
        right[:, above] += force
    matrix[:, BETAS, BETAS] = np.eye(betas.shape[1]) / BETA_SPREAD**2
    right[:, BETAS] = -betas / BETA_SPREAD**2
    return matrix, right


def _inverse_left_jacobian(vectors: np.ndarray) -> np.ndarray:
    """[N, 3, 3]: how log(exp(w) exp(v)) changes with w at 0, for axis-angle vectors v [N, 3] of at most half a turn."""
    angle = np.linalg.norm(vectors, axis=-1)
    half = np.maximum(angle, 1e-4) / 2
    second = (1 - half / np.tan(half)) / (4 * half**2)
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return np.eye(3) - cross / 2 + second[:, None, None] * (cross @ cross)
