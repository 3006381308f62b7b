"""Human3.6M: from .cdf, .mat and .mp4 to images and the rows of both protocols, and what the user is told."""

import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets.preprocess import h36m
from synthetic.benchmarks.h36m import write_joints
from synthetic.benchmarks.matlab import write_mat, write_mat_of_cells
from tests.helpers import tiny_mocap
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.errors import UserError
from utils.media.video_files import write_frames

SIDE, FRONT, OTHER = "S9/Directions 1.54138969", "S9/Directions 1.60457274", "S11/Sitting.60457274"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The original files; and what they hold: sample -> (joints, boxes)."""
    root = tmp_path_factory.mktemp("h36m")
    names = (SIDE, FRONT, OTHER)
    known = {name: tiny_mocap.write_h36m(root / "h36m", name, seed=seed) for seed, name in enumerate(names)}
    everything = root / "h36m/S9/MyPoseFeatures/D3_Positions_mono/_ALL.60457274.cdf"
    write_joints(everything, np.zeros((3, 32, 3)))
    return root, known


def folder() -> Path:
    return config.data_root() / "h36m"


def cdf(name: str) -> Path:
    return h36m.Sequence(folder(), name).joints


def mat(name: str) -> Path:
    return h36m.Sequence(folder(), name).boxes


def video(name: str) -> Path:
    return h36m.Sequence(folder(), name).video


def make(protocol: int = 1, workers: int = 1):
    kind = h36m.Human36MProtocol1 if protocol == 1 else h36m.Human36MProtocol2
    return kind().make_split("test", workers)


def table(protocol: int = 1) -> dict:
    return load(config.data_root(), f"h36m_valid_protocol{protocol}")


# ---- rows ----


def test_every_fifth_frame_of_each_sequence_is_a_row_named_like_spins_images(known):
    make()
    names = [f"{name}_{frame:06d}.jpg" for name in (
        "S9_Directions_1.54138969", "S9_Directions_1.60457274", "S11_Sitting.60457274"
    ) for frame in (1, 6, 11)]  # fmt: skip
    assert table()["imgname"].tolist() == [f"images/{name}" for name in names]
    for name in table()["imgname"]:
        assert tiny_mocap.frame_of(folder() / name) == int(name[-10:-4]) - 1


def test_protocol_2_has_the_frontal_camera_alone(known):
    make(2)
    assert {name.split(".")[1] for name in table(2)["sequence"]} == {"60457274"}
    assert len(table(2)["scale"]) == 6


def test_joints_are_metres_from_the_pelvis_in_training_order(known):
    make()
    rows = table()
    expected = np.concatenate([
        tiny_mocap.expected_joints(known[name][0][::5], tiny_mocap.H36M_ROWS) for name in (SIDE, FRONT, OTHER)
    ])  # fmt: skip
    np.testing.assert_allclose(rows["S"], expected, atol=1e-6)


def test_every_joint_of_the_file_goes_to_its_own_place(known):
    """In frame j joint j alone is moved; the joints that the data set has twice are told apart."""
    joints = np.zeros((32, 32, 3))
    joints[np.arange(32), np.arange(32)] = (1000.0, 2000.0, 3000.0)
    write_joints(cdf(SIDE), joints)
    found = h36m.read_joints(cdf(SIDE))
    for joint in range(32):
        moved = np.zeros((17, 3))
        if joint == tiny_mocap.H36M_ROWS[0]:
            moved[1:] = (-1, -2, -3)  # the pelvis, which all are relative to
        elif joint in tiny_mocap.H36M_ROWS:
            moved[tiny_mocap.H36M_ROWS.index(joint)] = (1, 2, 3)
        np.testing.assert_allclose(found[joint], moved, atol=1e-6)


def test_the_crop_is_the_box_of_ones_without_a_margin(known):
    make()
    boxes = np.concatenate([known[name][1][::5] for name in (SIDE, FRONT, OTHER)]).astype(float)
    np.testing.assert_allclose(table()["center"], boxes[:, :2] + boxes[:, 2:] / 2)
    np.testing.assert_allclose(table()["scale"] * 200, boxes[:, 2:].max(axis=1))


def test_masks_that_another_program_stored_row_by_row_are_turned(known):
    write_mat_of_cells(mat(SIDE), {"Masks": [mask.T for mask in tiny_mocap.masks(known[SIDE][1])]})
    make()
    boxes = known[SIDE][1][::5].astype(float)
    np.testing.assert_allclose(table()["center"][:3], boxes[:, :2] + boxes[:, 2:] / 2)


@pytest.mark.parametrize("shape", [(1, 11), (11,)])
def test_lists_of_masks_may_lie_along_either_axis(known, shape):
    with h5py.File(mat(SIDE), "r+") as file:
        references = file["Masks"][()].reshape(shape)
        del file["Masks"]
        file.create_dataset("Masks", data=references)
    assert not make().broken


def test_endings_may_be_in_capitals(known):
    make()
    before = table()
    for path in (cdf(SIDE), mat(SIDE), video(SIDE)):
        path.rename(path.with_suffix(path.suffix.upper()))
    shutil.rmtree(config.DATASET_NPZ_PATH)
    shutil.rmtree(folder() / "images")
    assert make().done == 3
    assert all(np.array_equal(table()[key], before[key]) for key in before)


# ---- resuming ----


def test_a_second_run_and_the_other_protocol_decode_nothing(known):
    make()
    for name in (SIDE, FRONT, OTHER):
        video(name).unlink()  # would be missed
    images = {path: path.stat().st_mtime_ns for path in folder().rglob("*.jpg")}
    assert len(images) == 9
    assert (make().kept, make(2).done) == (3, 2)
    assert {path: path.stat().st_mtime_ns for path in folder().rglob("*.jpg")} == images


def test_a_lost_image_and_a_cut_one_are_made_again(known):
    make()
    pictures = sorted((folder() / "images").glob("S9_Directions_1.5*"))
    content = [path.read_bytes() for path in pictures]
    pictures[1].unlink()
    pictures[2].write_bytes(content[2][:-40])
    before = pictures[0].stat().st_mtime_ns
    summary = make()
    assert (summary.done, summary.kept) == (1, 2)
    assert [path.read_bytes() for path in pictures] == content
    assert pictures[0].stat().st_mtime_ns == before


@pytest.mark.parametrize("file", [cdf, mat, video])
def test_a_sample_whose_files_changed_is_made_again(known, file):
    make()
    later = config.DATASET_NPZ_PATH.joinpath("h36m_valid_protocol1.npz").stat().st_mtime + 10
    os.utime(file(FRONT), (later, later))
    assert (make().done, make().kept) == (1, 2)


def test_images_that_are_older_than_their_video_are_made_again(known):
    make()
    path = folder() / "images/S9_Directions_1.54138969_000006.jpg"
    write_frames(video(SIDE), map(tiny_mocap.grey, range(10, 21)))  # frame f is as bright as frame 10 + f was
    later = path.stat().st_mtime + 10
    os.utime(video(SIDE), (later, later))
    make()
    assert tiny_mocap.frame_of(path) == 15


# ---- damage ----


def test_a_short_video_gives_its_own_frames_and_is_named(known, capfd):
    tiny_mocap.write_video(video(SIDE), 8)
    summary = make()
    assert "has fewer frames than the annotations: it lacks 1 frames (10)" in summary.incomplete[SIDE]
    assert (table()["sequence"] == SIDE).sum() == 2
    assert f"incomplete {SIDE}" in capfd.readouterr().err


def test_frames_without_numbers_or_box_are_named(known):
    joints, boxes = known[SIDE]
    joints = joints.copy()
    joints[0, 12, 1] = np.nan
    write_joints(cdf(SIDE), joints)
    empty = tiny_mocap.masks(boxes[:9])  # and none of frames 9 and 10
    empty[5][:] = 0
    write_mat_of_cells(mat(SIDE), {"Masks": empty})
    reason = make().broken[SIDE]
    assert "joints that are not finite numbers in 1 frames (0)" in reason and "has no box in 2 frames (5, 10)" in reason


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_reference(target: str):
    def damage(name):
        with h5py.File(mat(name), "r+") as file:
            file.create_group("a group")
            file["deep"] = np.zeros((2, 2, 2))
            file["Masks"][0, 0] = file[target].ref

    return damage


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda name: cdf(name).write_bytes(b"nothing"), "cannot be read as a .cdf file"),
        (lambda name: cut(cdf(name)), "cannot be read as a .cdf file"),
        (lambda name: write_joints(cdf(name), np.zeros((5, 31, 3))), "has Pose of shape (1, 5, 93)"),
        (lambda name: mat(name).unlink(), ".mat does not exist. Download"),
        (lambda name: cut(mat(name)), "cannot be read as an HDF5 file"),
        (lambda name: mat(name).write_bytes(b"nothing"), "cannot be read as an HDF5 file"),
        (lambda name: write_mat(mat(name), {"Masks": np.zeros((3, 3))}), "has no Masks, a list of masks"),
        (lambda name: write_mat(mat(name), {"Boxes": np.zeros((3, 3))}), "has no Masks, a list of masks"),
        (with_reference("deep"), "has a mask of shape (2, 2, 2) of frame 0"),
        (with_reference("a group"), "cannot be read as an HDF5 file"),
        (lambda name: video(name).unlink(), ".mp4 does not exist. Download"),
        (lambda name: video(name).write_bytes(b"nothing"), "cannot be decoded as a video"),
    ],
)
def test_a_damaged_file_is_named_and_costs_its_sample_only(known, damage, reason, capfd):
    damage(SIDE)
    summary = make()
    assert list(summary.broken) == [SIDE] and reason in summary.broken[SIDE], summary
    assert "\n" not in summary.broken[SIDE]
    assert set(table()["sequence"]) == {FRONT, OTHER}
    assert f"broken {SIDE}" in capfd.readouterr().err


@pytest.mark.parametrize("package", ["cdflib", "h5py"])
def test_a_missing_package_is_one_line(known, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"h36m-p1 needs the package {package}: pip install -r requirements-benchmarks"):
        make()


def test_a_missing_person_is_said_and_no_person_is_an_error(known, capsys):
    shutil.rmtree(folder() / "S9")
    assert make().done == 1
    assert "holds no .cdf: the table lacks S9" in capsys.readouterr().err
    shutil.rmtree(folder() / "S11")
    with pytest.raises(UserError, match="holds no <S9 or S11>/MyPoseFeatures"):
        make()
    with pytest.raises(UserError, match="of camera 60457274"):
        make(2)


def test_the_script_prepares_both_protocols_and_names_what_is_broken(known):
    mat(FRONT).unlink()
    options = ("--dataset", "h36m-p1", "h36m-p2", "--eval_files")
    finished = preprocess("preprocess_datasets.py", config.data_root(), *options)
    assert finished.returncode == 1, finished.stderr
    assert "h36m_valid_protocol1: 2 made" in finished.stdout and f"1 broken samples: {FRONT}" in finished.stdout
