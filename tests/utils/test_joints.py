"""The table of joints, against the numbers that the published regressors and data sets are written in."""

import numpy as np
import pytest

from utils.joints import (
    EXTRA_JOINTS,
    FROM_LSP_REGRESSOR,
    H36M_JOINTS,
    HIPS,
    LEFT_HIP,
    LSP_JOINTS,
    PARENTS,
    RIGHT_HIP,
    ROOT,
    SMPL_FLIP,
    SMPL_JOINTS,
    TRAINING_FLIP,
    TRAINING_JOINTS,
    TRAINING_ROWS,
    flip_permutation,
    indices,
    limb_bones,
    opposite,
    row_names,
)

LENGTHS = {SMPL_JOINTS: 24, EXTRA_JOINTS: 14, TRAINING_JOINTS: 24, LSP_JOINTS: 14, H36M_JOINTS: 17}
# the numbers of SPIN, GraphCMR and DecoMR
PUBLISHED_ROWS = [8, 5, 29, 30, 4, 7, 21, 19, 17, 16, 18, 20, 31, 32, 33, 34, 35, 36, 37, 24, 26, 25, 28, 27]
PUBLISHED_FLIP = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 15, 16, 17, 18, 19, 21, 20, 23, 22]
PUBLISHED_SMPL_FLIP = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
# joints that data sets number differently -> their places among the training joints, as the releases write them
COCO = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle")  # fmt: skip
H36M_TEST = ("pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "neck",
             "jaw", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
             "right_wrist")  # fmt: skip


@pytest.mark.parametrize("joints", LENGTHS)
def test_a_set_has_its_length_and_each_name_once(joints):
    assert len(joints) == len(set(joints)) == LENGTHS[joints]


@pytest.mark.parametrize("joints", LENGTHS)
def test_a_flip_undoes_itself_and_swaps_left_and_right_alone(joints):
    flip = flip_permutation(joints)
    np.testing.assert_array_equal(flip[flip], np.arange(len(joints)))
    for place, name in enumerate(joints):
        image = joints[flip[place]]
        assert image == opposite(name) and ("left" in name) == ("right" in image)
        assert image == name or {"left", "right"} & set(name.split("_"))


def test_the_flips_are_the_published_ones():
    assert TRAINING_FLIP.tolist() == PUBLISHED_FLIP and SMPL_FLIP.tolist() == PUBLISHED_SMPL_FLIP


def test_mirrored_bones_are_bones():
    for joint, parent in enumerate(PARENTS[1:], start=1):
        assert PARENTS[SMPL_FLIP[joint]] == SMPL_FLIP[parent] and parent < joint
    assert ROOT == 0 and PARENTS[ROOT] == -1


def test_the_training_joints_are_the_published_rows_of_the_stacked_regressor():
    assert TRAINING_ROWS == PUBLISHED_ROWS
    assert TRAINING_JOINTS[: len(LSP_JOINTS)] == LSP_JOINTS


def test_the_lsp_regressor_replaces_the_first_13_training_joints_and_the_head():
    assert indices(FROM_LSP_REGRESSOR, TRAINING_JOINTS) == [*range(13), 18]


def test_the_pelvis_lies_between_joints_2_and_3_of_both_sets():
    assert (RIGHT_HIP, LEFT_HIP) == (2, 3)
    assert indices(HIPS, TRAINING_JOINTS) == indices(HIPS, LSP_JOINTS) == [RIGHT_HIP, LEFT_HIP]


def test_every_regressor_has_a_row_for_the_joints_that_ask_for_one():
    rows = set(SMPL_JOINTS + EXTRA_JOINTS)
    assert set(row_names(TRAINING_JOINTS)) <= rows and set(H36M_JOINTS) <= rows


def test_the_h36m_rows_in_the_order_of_spin_are_the_lsp_joints():
    """With J_regressor_h36m.npy SPIN evaluates 14 joints; the neck is the thorax, the row that is there."""
    found = [H36M_JOINTS[row] for row in (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)]
    wanted = ["thorax" if name == "neck" else name for name in LSP_JOINTS]
    assert found == list(row_names(wanted))


def test_the_names_give_the_places_that_the_releases_number():
    assert indices(COCO, TRAINING_JOINTS) == [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
    assert indices(H36M_TEST, TRAINING_JOINTS) == [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]
    assert indices((*LSP_JOINTS[:-1], "head"), TRAINING_JOINTS) == [*range(12), 12, 18]  # evaluation on Human3.6M
    assert indices(("pelvis", "spine", "jaw"), TRAINING_JOINTS) == [14, 16, 17]  # more on MPI-INF-3DHP


@pytest.mark.parametrize("joints", [TRAINING_JOINTS, LSP_JOINTS, SMPL_JOINTS])
def test_limb_bones_are_two_thighs_shins_upper_and_lower_arms(joints):
    bones = limb_bones(joints)
    assert len(set(bones)) == 8
    flip = flip_permutation(joints)
    assert {(flip[start], flip[end]) for start, end in bones} == set(bones)
    if joints is SMPL_JOINTS:
        assert all(PARENTS[end] == start for start, end in bones)
