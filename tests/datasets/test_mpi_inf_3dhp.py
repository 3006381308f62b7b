"""MPI-INF-3DHP: from .mat, .avi and images to the rows and IUV images of both splits, and what the user is told."""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets.preprocess import mpi_inf_3dhp
from datasets.preprocess.mpi_inf_3dhp import MpiInf3dhp, training_image
from tests.helpers import tiny_mocap, tiny_up3d
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.errors import UserError
from utils.joints import LSP_JOINTS

FIRST, SECOND = "S1/Seq1", "S2/Seq2"
VIDEOS = (0, 1, 2, 4, 5, 6, 7, 8)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("mpi")
    folder = root / "mpi_inf_3dhp"
    known = {name: tiny_mocap.write_training(folder, name, seed=seed) for seed, name in enumerate((FIRST, SECOND))}
    return root, known


def folder() -> Path:
    return config.data_root() / "mpi_inf_3dhp"


def make(split: str = "train", workers: int = 1):
    return MpiInf3dhp().make_split(split, workers)


def table(split: str = "train") -> dict:
    return load(config.data_root(), f"mpi_inf_3dhp_{'train' if split == 'train' else 'valid'}")


def taken(known, sequences=(FIRST, SECOND)) -> list[tuple[str, int, int]]:
    """(sequence, video, frame) of every tenth frame whose 17 joints all lie inside, counted from the first."""
    chosen, count = [], 0
    for sequence in sequences:
        for video in VIDEOS:
            for frame, joints in enumerate(known[sequence][0][video][:, tiny_mocap.TRAIN_ROWS]):
                if all(0 <= value < 2048 for value in joints.ravel()):
                    count += 1
                    if count % 10 == 1:
                        chosen.append((sequence, video, frame))
    return chosen


# ---- training rows ----


def test_every_tenth_frame_that_shows_all_joints_is_a_row(known):
    assert make().done == 16
    expected = [
        f"{sequence}/imageFrames/video_{video}/frame_{frame + 1:06d}.jpg" for sequence, video, frame in taken(known)
    ]
    assert table()["imgname"].tolist() == expected
    for name, (_, _, frame) in zip(expected, taken(known), strict=True):
        assert tiny_mocap.frame_of(folder() / name) == frame
    assert len(list(folder().rglob("imageFrames/**/*.jpg"))) == len(expected)  # and no other frame


def test_joints_and_boxes_of_the_rows(known):
    make()
    rows, places = table(), taken(known)
    pixels = np.array([known[sequence][0][video][frame] for sequence, video, frame in places])
    pixels = pixels[:, tiny_mocap.TRAIN_ROWS]
    joints = np.array([known[sequence][1][video][frame] for sequence, video, frame in places])
    part = np.zeros((len(places), 24, 3))
    part[:, tiny_mocap.TO_TRAINING] = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=2)
    np.testing.assert_allclose(rows["part"], part, atol=1e-3)
    np.testing.assert_allclose(rows["S"], tiny_mocap.expected_joints(joints, tiny_mocap.TRAIN_ROWS), atol=1e-6)
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    np.testing.assert_allclose(rows["center"], (low + high) / 2)
    np.testing.assert_allclose(rows["scale"] * 200, 1.2 * (high - low).max(axis=1))


@pytest.mark.parametrize(("name", "axes"), [("annot2", 2), ("annot3", 3)])
def test_every_joint_of_the_file_goes_to_its_own_place(known, name, axes):
    """In frame j joint j alone is moved, in video 5 alone."""
    arrays = {2: [np.zeros((28, 28, 2)) for _ in range(14)], 3: [np.zeros((28, 28, 3)) for _ in range(14)]}
    arrays[axes][5][np.arange(28), np.arange(28)] = range(1, axes + 1)
    path = folder() / FIRST / "annot.mat"
    tiny_mocap.write_annotations(path, arrays[2], arrays[3])
    videos = mpi_inf_3dhp.read_training_joints(path, name, axes)
    for joint in range(28):
        moved = np.zeros((17, axes))
        if joint in tiny_mocap.TRAIN_ROWS:
            moved[tiny_mocap.TRAIN_ROWS.index(joint)] = range(1, axes + 1)
        np.testing.assert_array_equal(videos[5][joint], moved)
    assert not np.any(videos[4]) and not np.any(videos[6])


def test_a_file_of_matlab_7_gives_the_same_rows(known):
    make()
    before = table()
    for sequence in (FIRST, SECOND):
        tiny_mocap.write_annotations(folder() / sequence / "annot.mat", *known[sequence], version=7)
    assert make().done == 16
    assert all(np.array_equal(table()[key], before[key]) for key in before)


def test_two_workers_write_what_one_writes(known):
    make()
    before = table()
    shutil.rmtree(config.DATASET_NPZ_PATH)
    for images in folder().glob("S*/*/imageFrames"):
        shutil.rmtree(images)
    make(workers=2)
    assert all(np.array_equal(table()[key], before[key]) for key in before)


# ---- resuming ----


def test_a_sequence_that_is_added_shifts_the_rows_of_later_ones(known, capsys):
    shutil.move(folder() / FIRST, folder() / "later")
    make()
    assert "has no S1/Seq1, S1/Seq2" in capsys.readouterr().err
    assert len(table()["scale"]) == len(taken(known, [SECOND]))
    shutil.move(folder() / "later", folder() / FIRST)
    make()
    expected = [training_image(f"{sequence}/video_{video}", frame) for sequence, video, frame in taken(known)]
    assert table()["imgname"].tolist() == expected


def test_a_second_run_decodes_nothing_and_a_lost_image_is_made_again(known):
    make()
    lost = folder() / table()["imgname"][3]
    picture = lost.read_bytes()
    lost.unlink()
    assert (make().done, make().done) == (1, 0)
    assert lost.read_bytes() == picture


# ---- damage ----


def test_a_short_video_gives_its_own_frames_and_is_named(known):
    place = next(index for index, (_, _, frame) in enumerate(taken(known)) if frame > 3)
    sequence, video, frame = taken(known)[place]
    name = f"{sequence}/video_{video}"
    tiny_mocap.write_video(folder() / sequence / "imageSequence" / f"video_{video}.avi", frame)
    summary = make()
    reason = (summary.incomplete | summary.broken)[name]
    assert "fewer frames than the annotations: it lacks" in reason and str(frame) in reason
    assert training_image(name, frame) not in table()["imgname"]


def test_joints_that_are_not_numbers_are_named(known):
    pixels, joints = known[FIRST]
    sequence, video, frame = taken(known)[0]
    changed = [values.copy() for values in joints]
    changed[video][frame, 4] = np.nan
    tiny_mocap.write_annotations(folder() / sequence / "annot.mat", pixels, changed)
    summary = make()
    name = f"{sequence}/video_{video}"
    assert f"annot3 that are not finite numbers in 1 frames ({frame})" in (summary.incomplete | summary.broken)[name]


def other(pixels: int = 28, joints: int = 28, videos: int = 14, frames: int = 23):
    """Damage: annotations of other shapes."""

    def write(path: Path) -> None:
        found = [np.zeros((23, pixels, 2))] * videos, [np.zeros((frames, joints, 3))] * videos
        tiny_mocap.write_annotations(path, *found)

    return write


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "annot.mat does not exist. Download"),
        (tiny_mocap.cut, "annot.mat cannot be read as a .mat file"),
        (lambda path: path.write_bytes(b"nothing"), "annot.mat cannot be read as a .mat file"),
        (other(pixels=17), "has annot2 of shape (23, 34) for video 0, expected (frames, 56)"),
        (other(joints=17), "has annot3 of shape (23, 51) for video 0, expected (frames, 84)"),
        (other(videos=8), "has annot2 of 8 videos, expected 14"),
        (other(frames=22), "has 23 frames in annot2, 22 in annot3"),
    ],
)
def test_damaged_annotations_cost_their_sequence_only(known, damage, reason):
    damage(folder() / FIRST / "annot.mat")
    summary = make()
    assert list(summary.broken) == [f"{FIRST}/video_{video}" for video in VIDEOS]
    assert all(reason in line for line in summary.broken.values()), summary.broken
    assert {name.rsplit("/", 1)[0] for name in table()["sequence"]} == {SECOND}


def test_a_missing_video_is_named_unless_its_images_are_there(known):
    path = folder() / FIRST / "imageSequence/video_4.avi"
    content = path.read_bytes()
    path.unlink()
    summary = make()
    assert list(summary.broken) == [f"{FIRST}/video_4"]
    assert "video_4.avi does not exist. Download" in summary.broken[f"{FIRST}/video_4"]
    path.write_bytes(content)
    assert make().done == 1
    shutil.rmtree(config.DATASET_NPZ_PATH)
    path.unlink()
    assert make().done == 16


# ---- what is missing ----


def test_a_missing_package_is_one_line(known, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="mpi-inf-3dhp needs the package h5py: pip install -r requirements-benchmarks"):
        make("test")
    assert make().done == 16  # MATLAB 5 needs none


def test_a_folder_without_data_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    (tmp_path / "mpi_inf_3dhp").mkdir()
    with pytest.raises(UserError, match="holds no S1/Seq1 to S8/Seq2"):
        make()
    with pytest.raises(UserError, match="holds no TS1 to TS6"):
        make("test")


# ---- IUV images ----


def test_iuv_images_are_drawn_of_spins_fits(tmp_path, monkeypatch):
    """The fits are of a body whose joints are annotated, so the image's mask covers the box of the mesh."""
    monkeypatch.setattr(config, "_root", tmp_path)
    tiny_up3d.write_body(tmp_path)
    body = load_body_model(config.SMPL_FILE)
    regressors = load_joint_regressors(model=body)
    rng = np.random.default_rng(0)
    pixels, joints = [np.full((11, 28, 2), 20.0) for _ in range(14)], [np.zeros((11, 28, 3)) for _ in range(14)]
    rows = [divmod(10 * number, 11) for number in range(9)]  # place in VIDEOS and frame: every tenth of 88
    poses = rng.normal(size=(len(rows), 72)) * 0.03
    poses[:, :3] = Rotation.from_euler("x", np.pi).as_rotvec()
    boxes = []
    row_of = dict(zip(tiny_mocap.TO_TRAINING, tiny_mocap.TRAIN_ROWS, strict=True))
    for pose, (video, frame) in zip(poses, rows, strict=True):
        vertices = pose_vertices(body, pose, np.zeros(10))
        middle = (vertices.min(axis=0) + vertices.max(axis=0))[:2] / 2
        places = 18 * (vertices[:, :2] - middle) + (30, 20)
        boxes.append(np.concatenate([places.min(axis=0), places.max(axis=0)]))
        seen = 18 * (regressors.joints(vertices)[:, :2] - middle) + (30, 20)
        for joint in range(len(LSP_JOINTS)):
            if joint in row_of:
                pixels[VIDEOS[video]][frame, row_of[joint]] = seen[joint]
    folder = tmp_path / "mpi_inf_3dhp"
    for video in VIDEOS:
        tiny_mocap.write_video(folder / FIRST / f"imageSequence/video_{video}.avi", 11)
    tiny_mocap.write_annotations(folder / FIRST / "annot.mat", pixels, joints)
    (tmp_path / "spin_fits").mkdir()
    np.savez(tmp_path / "spin_fits/mpi_inf_3dhp.npz", pose=poses, shape=np.zeros((len(rows), 10)))
    options = ("--dataset", "mpi-inf-3dhp", "--train_files", "--gt_iuv")
    finished = preprocess("preprocess_datasets.py", tmp_path, *options)
    assert finished.returncode == 0, finished.stderr
    table = load(tmp_path, "mpi_inf_3dhp_train")
    assert len(table["iuv_names"]) == len(rows)
    for name, box in zip(table["iuv_names"], boxes, strict=True):
        mask = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)[..., 0] > 0
        assert mask.shape == (tiny_mocap.HEIGHT, tiny_mocap.WIDTH)
        drawn = [np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1)]
        found = [drawn[0][0], drawn[1][0], drawn[0][-1], drawn[1][-1]]
        np.testing.assert_allclose(found, box, atol=1.5)
    # fits of another number of rows are not SPIN's of this table
    np.savez(tmp_path / "spin_fits/mpi_inf_3dhp.npz", pose=poses[:-1], shape=np.zeros((len(rows) - 1, 10)))
    finished = preprocess("preprocess_datasets.py", tmp_path, "--dataset", "mpi-inf-3dhp", "--gt_iuv")
    assert finished.returncode == 2 and "they do not belong together" in finished.stderr
