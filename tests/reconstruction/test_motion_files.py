"""Motions as .bvh and AMASS' .npz: read by other readers, the joints move as the body's do."""

import numpy as np
import pytest

from reconstruction.motion_files import euler_angles, write_amass, write_bvh
from tests.helpers.bvh_reader import place_joints, read_bvh
from tests.helpers.soft_body import soft_body
from utils.body_model import BodyModel, pose_joints, pose_vertices
from utils.camera import upright
from utils.joints import SMPL_JOINTS
from utils.rotations import rotation_matrices

FRAMES, RATE = 7, 23.976


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return soft_body()


@pytest.fixture(scope="module")
def motion():
    rng = np.random.default_rng(3)
    return rng.normal(size=10), rng.normal(size=(FRAMES, 24, 3)), rng.normal(size=(FRAMES, 3))


def test_the_joints_of_a_bvh_are_those_of_the_body(model, motion, tmp_path):
    betas, pose, translation = motion
    write_bvh(tmp_path / "a.bvh", model, betas, pose, translation, RATE)
    joints, seconds, rows = read_bvh((tmp_path / "a.bvh").read_text())
    assert seconds == pytest.approx(1 / RATE, abs=1e-7)
    assert rows.shape == (FRAMES, 3 + 72)
    assert all(joint.channels[-3:] == ["Zrotation", "Xrotation", "Yrotation"] for joint in joints)
    order = [SMPL_JOINTS.index(joint.name) for joint in joints]
    assert sorted(order) == list(range(24))
    parents = {joint.name: joint.parent.name if joint.parent else None for joint in joints}
    assert all(parents[SMPL_JOINTS[child]] == SMPL_JOINTS[model.parents[child]] for child in range(1, 24))
    leaves = {joint.name for joint in joints} - set(parents.values())
    assert {joint.name for joint in joints if joint.ends} == leaves
    for frame in range(FRAMES):
        places, turns = place_joints(joints, rows[frame])
        expected = upright(pose_joints(model, pose[frame], betas) + translation[frame])
        np.testing.assert_allclose(places, expected[order], atol=1e-5)
        head = order.index(SMPL_JOINTS.index("head"))
        chain = np.diag([1.0, -1, -1])
        for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"):
            chain = chain @ rotation_matrices(pose[frame, SMPL_JOINTS.index(name)])
        np.testing.assert_allclose(turns[head], chain, atol=1e-6)


def test_euler_angles_of_a_steady_turn_have_no_leaps():
    """About each axis in turn, twice around; at X = 90 degrees the order ZXY is degenerate."""
    for axis in range(3):
        turns = np.zeros((145, 24, 3))
        turns[:, :, axis] = np.radians(5 * np.arange(145))[:, None]
        angles = euler_angles(rotation_matrices(turns))
        assert np.abs(np.diff(angles, axis=0)).max() < 5.001
        assert np.abs(np.diff(angles, axis=0)).sum(-1).max() < 5.001


def test_amass_arrays_pose_the_same_body_with_z_up(model, motion, tmp_path):
    betas, pose, translation = motion
    write_amass(tmp_path / "a.npz", model, betas, pose, translation, RATE)
    with np.load(tmp_path / "a.npz") as content:
        arrays = dict(content)
    assert arrays["poses"].shape == (FRAMES, 72) and arrays["trans"].shape == (FRAMES, 3)
    assert str(arrays["gender"]) == "neutral"
    assert arrays["mocap_framerate"] == arrays["mocap_frame_rate"] == RATE
    for frame in range(FRAMES):
        expected = upright(pose_vertices(model, pose[frame], betas) + translation[frame])
        found = pose_vertices(model, arrays["poses"][frame], arrays["betas"]) + arrays["trans"][frame]
        np.testing.assert_allclose(found, expected[:, [0, 2, 1]] * (1, -1, 1), atol=1e-9)
