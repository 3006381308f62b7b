"""Every joint set of this field in one table: names, orders, mirror images, and the regressor rows that make it.

A set is a tuple of names, and arrays of joints have one row per name. No other file numbers joints: it asks here by
name, as in `TRAINING_JOINTS.index("nose")` or `indices(HIPS, LSP_JOINTS)`. Left and right are the person's own.

    SMPL_JOINTS       24, the kinematic tree: rows of the body model's J_regressor
    EXTRA_JOINTS      14, rows of J_regressor_extra.npy
    TRAINING_JOINTS   24, the annotations and losses: columns `part` and `S` of a data set (order of SPIN and DecoMR)
    LSP_JOINTS        14, the first of the training joints: keypoints of UP-3D and LSP, and what is evaluated
    H36M_JOINTS       17, rows of J_regressor_h36m.npy
    COCO_JOINTS       17, MPII_JOINTS 16, MOCAP_JOINTS 17: the annotations of these data sets, by names of the training
                      joints; MOCAP_JOINTS are those of Human3.6M and MPI-INF-3DHP
    H36M_SKELETON     32, MPI_INF_3DHP_SKELETON 28 and MPI_INF_3DHP_TEST 17: how the files of these two hold them
    OPENPOSE_18       18, the keypoints of 3DPW
    H36M_SKELETON     32, MPI_INF_3DHP_SKELETON 28, MPI_INF_3DHP_TEST 17: the rows of the original files of these sets,
                      with the training joints under their names
    OPENPOSE_18       18, the 2-D keypoints of 3DPW
    BENCHMARK_JOINTS  14, the training joints that Human3.6M, 3DPW and MPI-INF-3DHP are evaluated on;
                      BENCHMARK_17 has three more, for MPI-INF-3DHP. SPIN_ROWS and SPIN_17 are the rows of
                      J_regressor_h36m.npy that SPIN takes for them

Another data set or protocol is another tuple of these names.
"""

import numpy as np

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
# [24]: the joint that each joint of SMPL_JOINTS hangs on; -1 for the root
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])

EXTRA_JOINTS = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear", "lsp_right_hip", "lsp_left_hip", "neck_base",
    "head_top", "hips_centre", "thorax", "belly", "jaw", "head_centre",
)  # fmt: skip

LSP_JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
TRAINING_JOINTS = (
    *LSP_JOINTS,
    "pelvis", "thorax", "spine", "jaw", "head", "nose", "left_eye", "right_eye", "left_ear", "right_ear",
)  # fmt: skip
# the left leg comes first, as in SPIN and GraphCMR
H36M_JOINTS = (
    "hips_centre", "lsp_left_hip", "left_knee", "left_ankle", "lsp_right_hip", "right_knee", "right_ankle", "belly",
    "thorax", "jaw", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
    "right_wrist",
)  # fmt: skip

COCO_JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
MPII_JOINTS = (*LSP_JOINTS[:6], "pelvis", "thorax", "neck", "head_top", *LSP_JOINTS[6:12])
MOCAP_JOINTS = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "neck", "jaw",
    "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
# Where Human3.6M has one place several times, the rows that the releases take bear the name of the training joint.
H36M_SKELETON = (
    "root", "right_hip", "right_knee", "right_ankle", "right_toes", "right_toe_tip", "left_hip", "left_knee",
    "left_ankle", "left_toes", "left_toe_tip", "pelvis", "spine", "upper_neck", "jaw", "head", "left_neck",
    "left_shoulder", "left_elbow", "left_wrist", "left_thumb", "left_thumb_tip", "left_hand", "left_hand_tip", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "right_thumb", "right_thumb_tip", "right_hand", "right_hand_tip",
)  # fmt: skip
MPI_INF_3DHP_SKELETON = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "jaw", "head", "left_collar", "left_shoulder",
    "left_elbow", "left_wrist", "left_hand", "right_collar", "right_shoulder", "right_elbow", "right_wrist",
    "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot", "left_toe_tip", "right_hip", "right_knee",
    "right_ankle", "right_foot", "right_toe_tip",
)  # fmt: skip
MPI_INF_3DHP_TEST = (
    "head", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "jaw",
)  # fmt: skip
OPENPOSE_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip

# Motion capture puts its head marker where the joint "head" is, not at LSP's head top.
BENCHMARK_JOINTS = (*LSP_JOINTS[:-1], "head")
BENCHMARK_17 = (*BENCHMARK_JOINTS, "pelvis", "spine", "jaw")
SPIN_ROWS = (
    "right_ankle", "right_knee", "lsp_right_hip", "lsp_left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "thorax", "head_top",
)  # fmt: skip
SPIN_17 = (*SPIN_ROWS, "hips_centre", "belly", "jaw")

# training joint -> its name among the rows of the regressors, where SMPL has another joint of (nearly) the same name
_ROW_NAMES = {
    "right_hip": "lsp_right_hip", "left_hip": "lsp_left_hip", "neck": "neck_base", "pelvis": "hips_centre",
    "spine": "belly", "head": "head_centre",
}  # fmt: skip


def row_names(names) -> tuple[str, ...]:
    """What the rows of the regressors, SMPL_JOINTS and EXTRA_JOINTS, call these training joints."""
    return tuple(_ROW_NAMES.get(name, name) for name in names)


def indices(names, order: tuple[str, ...]) -> list[int]:
    """The places of joints, given by name, in a joint set."""
    return [order.index(name) for name in names]


def opposite(name: str) -> str:
    """The name of the mirror image of a joint or landmark."""
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def flip_permutation(order: tuple[str, ...]) -> np.ndarray:
    """[J] int64: the joint that takes each place of a joint set in the mirror image."""
    return np.array(indices(map(opposite, order), order))


def limb_bones(order: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs of joints of a set with a bone between them: thighs, shins, upper and lower arms of both sides."""
    bones = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
    return [
        (order.index(f"{side}_{start}"), order.index(f"{side}_{end}"))
        for side in ("right", "left")
        for start, end in bones
    ]


NUM_JOINTS = len(SMPL_JOINTS)
ROOT = SMPL_JOINTS.index("pelvis")  # the joint that SMPL joints are centred on
# The pelvis of training and evaluation joints is the middle of the hips.
HIPS = ("right_hip", "left_hip")
RIGHT_HIP, LEFT_HIP = indices(HIPS, TRAINING_JOINTS)  # in LSP_JOINTS they have the same places

TRAINING_FLIP = flip_permutation(TRAINING_JOINTS)
SMPL_FLIP = flip_permutation(SMPL_JOINTS)

# rows of the stacked regressor [J_regressor (24); J_regressor_extra (14)] that make the training joints
TRAINING_ROWS = indices(row_names(TRAINING_JOINTS), SMPL_JOINTS + EXTRA_JOINTS)
# The training joints that come from the 14 rows of smpl2lsp_j_regressor_nt_v2.npy in training, in the order of these
# rows. The last row, LSP's head top, replaces the joint "head", as in the PyTorch releases.
FROM_LSP_REGRESSOR = (*LSP_JOINTS[:-1], "head")
