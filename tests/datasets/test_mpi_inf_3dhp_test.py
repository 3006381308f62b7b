"""MPI-INF-3DHP's test split: from annotations and images to rows, and what the user is told."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets.preprocess import mpi_inf_3dhp
from tests.datasets.test_mpi_inf_3dhp import folder, make, table
from tests.helpers import tiny_mocap
from utils import config

PLACE = "mpi_inf_3dhp/mpi_inf_3dhp_test_set"
NAMES = ("TS1", "TS5")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpi")
    return root, {name: tiny_mocap.write_test(root / PLACE / name, seed=seed) for seed, name in enumerate(NAMES)}


def folder_of(name: str) -> Path:
    return config.data_root() / PLACE / name


def test_valid_test_frames_that_show_all_joints_are_rows(known):
    content = {name: {key: array.copy() for key, array in known[name].items()} for name in NAMES}
    content["TS1"]["valid_frame"][0, 2] = 0
    content["TS1"]["annot2"][1, 6, 0, 3] = tiny_mocap.HEIGHT  # one below the image
    content["TS5"]["annot2"][0, 0, 0, 0] = tiny_mocap.WIDTH - 0.5
    for name in NAMES:
        tiny_mocap.write_test_annotations(folder_of(name), content[name])
    make("test")
    frames = {"TS1": [0, 1, 4, 5], "TS5": [0, 1, 2, 3, 4, 5]}
    rows = table("test")
    assert rows["imgname"].tolist() == [
        f"mpi_inf_3dhp_test_set/{name}/imageSequence/img_{frame + 1:06d}.jpg"
        for name in NAMES
        for frame in frames[name]
    ]
    pixels, joints = (
        np.concatenate([content[name][key][:, :, 0, frames[name]].transpose(2, 1, 0) for name in NAMES])
        for key in ("annot2", "univ_annot3")
    )
    np.testing.assert_allclose(rows["S"], tiny_mocap.expected_joints(joints, tiny_mocap.TEST_ROWS), atol=1e-6)
    np.testing.assert_allclose(rows["part"][:, tiny_mocap.TO_TRAINING, :2], pixels[:, tiny_mocap.TEST_ROWS], atol=1e-4)
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    np.testing.assert_allclose(rows["center"], (low + high) / 2)
    np.testing.assert_allclose(rows["scale"] * 200, 1.2 * (high - low).max(axis=1))


def test_every_test_joint_goes_to_its_own_place(known):
    content = tiny_mocap.write_test(folder() / "TS2", frames=17)
    content["univ_annot3"][:] = 0
    for joint in range(17):
        content["univ_annot3"][:, joint, 0, joint] = (1, 2, 3)
    tiny_mocap.write_test_annotations(folder() / "TS2", content)
    _, joints, _ = mpi_inf_3dhp.read_test_joints(folder() / "TS2/annot_data.mat")
    for joint in range(17):
        moved = np.zeros((17, 3))
        moved[tiny_mocap.TEST_ROWS.index(joint)] = (1, 2, 3)
        np.testing.assert_array_equal(joints[joint], moved)


def test_test_sequences_may_lie_beside_the_training_data_and_be_of_matlab_5(known):
    make("test")
    before = table("test")
    for name in NAMES:
        shutil.move(folder_of(name), folder() / name)
        tiny_mocap.write_test_annotations(folder() / name, known[name], version=5)
    make("test")
    assert table("test")["imgname"][0] == "TS1/imageSequence/img_000001.jpg"
    assert np.array_equal(table("test")["S"], before["S"])


def test_a_test_sequence_of_one_frame_is_read(known):
    """MATLAB drops the last axis."""
    content = {key: array[..., :1] for key, array in known["TS1"].items()}
    for version, shape in ((7, (2, 17, 1)), (5, (2, 17))):
        changed = content | {"annot2": content["annot2"].reshape(shape)}
        tiny_mocap.write_test_annotations(folder_of("TS1"), changed, version)
        assert len(mpi_inf_3dhp.read_test_joints(folder_of("TS1") / "annot_data.mat")[0]) == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "annot_data.mat").unlink(), "annot_data.mat does not exist. Download"),
        (lambda folder: tiny_mocap.cut(folder / "annot_data.mat"), "cannot be read as an HDF5 file"),
        (
            lambda folder: tiny_mocap.write_test_annotations(
                folder, {"annot2": np.zeros((2, 28, 1, 6)), "univ_annot3": np.zeros(3), "valid_frame": np.ones((1, 6))}
            ),
            "has annot2 of shape (2, 28, 1, 6), expected (2, 17, 1, 6)",
        ),
        (
            lambda folder: tiny_mocap.write_test_annotations(folder, {"annot2": np.zeros(2)}),
            "has no univ_annot3, valid",
        ),
        (
            lambda folder: (folder / "imageSequence/img_000003.jpg").unlink(),
            "img_000003.jpg does not exist: 1 of 6 images are missing. Download",
        ),
    ],
)
def test_a_damaged_test_sequence_is_named(known, damage, reason):
    damage(folder_of("TS5"))
    summary = make("test")
    assert list(summary.broken) == ["mpi_inf_3dhp_test_set/TS5"]
    assert reason in summary.broken["mpi_inf_3dhp_test_set/TS5"]
    assert len(table("test")["scale"]) == 6


def test_a_test_image_that_is_lost_later_is_noticed(known):
    make("test")
    (folder_of("TS1") / "imageSequence/img_000001.jpg").unlink()
    assert list(make("test").broken) == ["mpi_inf_3dhp_test_set/TS1"]
