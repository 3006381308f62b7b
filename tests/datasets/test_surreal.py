"""SURREAL: from mirrored videos and .mat files to rows, IUV images and items, and what the user is told."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets.preprocess import surreal
from datasets.preprocess.generate_gt_iuv import draw_iuv, load_atlas_faces
from datasets.video import count_frames, read_frame
from synthetic.photographs import videos
from synthetic.photographs.view import Backdrop
from synthetic.stages import Collection, open_stages
from synthetic.surreal import video_name, write_video
from tests.helpers.nothing_worn import nothing_worn
from tests.helpers.prepared import ALL_STEPS, SURREAL, load, preprocess
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.camera import PerspectiveCamera
from utils.errors import UserError
from utils.renderer import cast_mesh
from utils.surreal_files import HEIGHT, WIDTH, info_file, read_info

WOMAN, MAN = video_name(0), video_name(3)
pytestmark = pytest.mark.usefixtures("in_prepared")
GENDERS = {"m": "MALE_SMPL_FILE", "f": "FEMALE_SMPL_FILE"}


@pytest.fixture(scope="module")
def prepared(prepared_surreal):
    return prepared_surreal


def silhouette(frame: np.ndarray) -> np.ndarray:
    return frame.max(axis=2) > 100


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def raw_info(root: Path, folder: str, name: str) -> dict:
    return scipy.io.loadmat(root / "surreal" / folder / name.replace(".mp4", "_info.mat"))


# ---- geometry ----


@pytest.mark.parametrize("index", [0, 3])
def test_the_raw_annotations_are_those_of_surreals_blender_camera(prepared, index):
    """SURREAL's scene in Blender's words: its camera matrix has determinant -1, so the picture is mirrored."""
    info = raw_info(prepared, config.SURREAL_TRAIN_FOLDER, video_name(index))
    distance = info["camDist"].item()
    camera_to_world = np.array([[0, 0, 1, distance], [0, -1, 0, -1], [-1, 0, 0, 0], [0, 0, 0, 1]], float)
    points = np.concatenate([info["joints3D"], np.ones((1, *info["joints3D"].shape[1:]))])
    x, y, z, _ = np.einsum("ab,bjt->ajt", np.linalg.inv(camera_to_world), points)
    pixels = np.stack([160 + 600 * x / -z, 120 - 600 * y / -z])  # Blender looks along -z, with y up
    np.testing.assert_allclose(info["joints2D"], pixels, atol=1e-6)

    # and the world's joints are those of the body, stood up from motion capture's z-up world
    model = load_body_model(prepared / getattr(config, GENDERS["m" if info["gender"][0, 0] else "f"]).name)
    pose = info["pose"][:, 5].copy()
    turns = [Rotation.from_euler("x", 90, degrees=True), Rotation.from_euler("z", info["zrot"][5, 0])]
    pose[:3] = (turns[0] * turns[1] * Rotation.from_rotvec(pose[:3])).as_rotvec()
    joints = model.joint_regressor @ pose_vertices(model, pose, info["shape"][:, 5])
    expected = info["joints3D"][..., 5].T
    # SMPL turns about its pelvis, so placing it in the world is a shift
    np.testing.assert_allclose(joints - joints[0], expected - expected[0], atol=1e-9)


def test_rows_are_in_camera_coordinates_with_left_and_right_as_they_are(prepared):
    table = load(prepared, "surreal_train")
    for row in range(len(table["scale"])):
        model = load_body_model(prepared / getattr(config, GENDERS[table["gender"][row]]).name)
        vertices = pose_vertices(model, table["pose"][row], table["shape"][row])
        joints, found = model.joint_regressor @ vertices, table["S_smpl"][row]
        np.testing.assert_allclose(joints - joints[0], found[:, :3] - found[0, :3], atol=1e-5)
        # x to the right and y down in the picture: all joints at one distance would be an enlarged copy
        seen = table["part_smpl"][row]
        for axis in range(2):
            assert np.corrcoef(found[:, axis], seen[:, axis])[0, 1] > 0.97
        assert (found[:, 3] == 1).all() and (seen[:, 2] == 1).all()


def test_the_iuv_mask_covers_the_person_in_the_frame_mirrored_back(prepared):
    table = load(prepared, "surreal_train")
    assert set(table["gender"]) == {"f", "m"}
    for video, frame, name in zip(table["videoname"], table["framenum"], table["iuv_names"], strict=True):
        assert name == f"BF_IUV_gt/data/cmu/train/{video[:-4]}_{frame}.png"
        picture = read_frame(prepared / "surreal/data/cmu/train" / video, int(frame), "")[:, ::-1]
        iuv = cv2.imread(str(prepared / "surreal" / name), cv2.IMREAD_UNCHANGED)
        assert iuv.shape == (240, 320, 3)
        assert overlap(iuv[..., 0] > 0, silhouette(picture)) > 0.93
        assert overlap(iuv[:, ::-1, 0] > 0, silhouette(picture)) < 0.8  # the comparison can tell them apart


def test_the_generated_people_are_where_their_annotations_put_them(generated_root, monkeypatch, tmp_path):
    """The full-size bodies, naked and bald, painted white in a black world, encoded and decoded: the bright pixels are
    the mesh, put where the joints are before SURREAL's camera; and the IUV mask, whose camera is only weakly
    perspective, is near.
    """
    monkeypatch.setattr(config, "_root", generated_root)
    size = (HEIGHT, WIDTH)
    black = Backdrop(np.zeros((*size, 3)), np.full(size, np.inf), np.zeros((*size, 3)), 3.0, True)
    shine = videos.light_foreground

    def white(*args):
        coverage = shine(*args)[1]
        return np.repeat(coverage, 3, 2), coverage

    monkeypatch.setattr(videos, "make_backdrop", lambda *_: black)
    monkeypatch.setattr(videos, "make_attire", nothing_worn)
    monkeypatch.setattr(videos, "light_foreground", white)
    for gender, stage in open_stages(Collection()).items():
        take = videos.stage_take(stage.model, 5, gender, 3)
        path = tmp_path / f"{gender}.mp4"
        info = videos.annotate(stage.model, take)
        write_video(path, videos.film(stage, take, 5, gender), info)
        row = surreal.frame_row(read_info(info_file(path)), 2)
        assert row["gender"] == "fm"[gender]
        seen = silhouette(read_frame(path, 2, "")[:, ::-1])
        vertices = pose_vertices(stage.model, row["pose"], row["shape"])
        joints, faces = stage.model.joint_regressor @ vertices, stage.model.faces
        atlas = load_atlas_faces("BF", len(vertices))
        place = row["S_smpl"][0, :3] - joints[0] + (0, 1, info["camDist"])
        assert overlap(cast_mesh(vertices, faces, PerspectiveCamera(600, (159, 120), place), *size).mask, seen) > 0.93
        assert overlap(draw_iuv(vertices, joints, row["part_smpl"], *size, atlas)[..., 0] > 0, seen) > 0.75


def test_a_video_depends_on_seed_and_number_alone(generated_root, monkeypatch):
    monkeypatch.setattr(config, "_root", generated_root)
    stage = open_stages(Collection())[videos.FEMALE]

    def first_frame(seed, index):
        return next(iter(videos.film(stage, videos.stage_take(stage.model, seed, index, 2), seed, index)))

    frame = first_frame(1, 0)
    assert frame.shape == (240, 320, 3) and frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, first_frame(1, 0))
    assert not np.array_equal(frame, first_frame(1, 2)) and not np.array_equal(frame, first_frame(2, 0))


@pytest.mark.parametrize(("clothing", "maker"), [("suit", "studio"), ("street", "make_backdrop")])
def test_people_in_suits_are_filmed_in_a_studio_as_in_photographs(generated_root, monkeypatch, clothing, maker):
    """So that a network that was trained on such photographs sees what it knows."""
    monkeypatch.setattr(config, "_root", generated_root)
    size = (HEIGHT, WIDTH)
    black = Backdrop(np.zeros((*size, 3)), np.full(size, np.inf), np.zeros((*size, 3)), 3.0, True)
    monkeypatch.setattr(videos, maker, lambda *_: black)
    stage = open_stages(Collection(0, clothing))[videos.FEMALE]
    frame = next(iter(videos.film(stage, videos.stage_take(stage.model, 1, 0, 2), 1, 0)))
    assert frame[:, :10].max() < 40 < frame.max()


# ---- which frames ----


def test_training_takes_every_tenth_frame_that_shows_all_joints(prepared):
    table = load(prepared, "surreal_train")
    rows = list(zip(table["videoname"].tolist(), table["framenum"].tolist(), strict=True))
    assert [frame for name, frame in rows if name == WOMAN] == [0, 10, 20]
    assert [frame for name, frame in rows if name == MAN] == [0, 10]
    assert [frame for name, frame in rows if name == video_name(2)] == [0]  # then the person leaves
    assert (table["part_smpl"][..., 0] >= 0).all() and (table["part_smpl"][..., 0] <= 319).all()
    low, high = table["part_smpl"].min(axis=1)[:, :2], table["part_smpl"].max(axis=1)[:, :2]
    np.testing.assert_allclose(table["center"], (low + high) / 2, atol=1e-4)
    np.testing.assert_allclose(table["scale"] * 200, 1.2 * (high - low).max(axis=1), rtol=1e-5)


def test_validation_takes_the_middle_frame_of_the_listed_videos(prepared):
    table = load(prepared, "surreal_val")
    assert table["videoname"].tolist() == [video_name(0), video_name(3)]  # of 1, 3 and 4; 3 has one frame
    assert table["framenum"].tolist() == [2, 2]
    assert table["gender"].tolist() == ["f", "m"]
    assert "iuv_names" not in table


# ---- resuming and damage ----


def test_a_second_run_touches_nothing_and_two_workers_write_what_one_writes(own_copy):
    before = {path: path.stat().st_mtime_ns for path in own_copy.rglob("*.*")}
    finished = preprocess(SURREAL, own_copy, *ALL_STEPS)
    assert finished.returncode == 0 and "0 made, 3 kept from before" in finished.stdout
    assert {path: path.stat().st_mtime_ns for path in own_copy.rglob("*.*")} == before
    one = load(own_copy, "surreal_train")
    shutil.rmtree(own_copy / "DATASET_NPZ_PATH")
    lost = own_copy / "surreal" / one["iuv_names"][1]
    picture = lost.read_bytes()
    lost.unlink()
    finished = preprocess(SURREAL, own_copy, *ALL_STEPS, workers=2)
    assert "surreal_train BF IUV: 1 made, 5 kept from before" in finished.stdout
    assert lost.read_bytes() == picture
    two = load(own_copy, "surreal_train")
    assert all(np.array_equal(one[key], two[key]) for key in one)


def rewrite(**changes):
    """Damage: other arrays in the man's .mat; None takes an array out."""

    def damage(root: Path, path: Path) -> None:
        info = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")} | changes
        scipy.io.savemat(path, {key: value for key, value in info.items() if value is not None})

    return damage


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (rewrite(zrot=None, pose=None), "_info.mat has no pose, zrot. Download"),
        (rewrite(pose=np.zeros((72, 5))), "has pose of shape (72, 5), expected (72, 12)"),
        (rewrite(joints2D=np.zeros((2, 14, 12))), "has joints2D of shape (2, 14, 12), expected (2, 24, 12)"),
        (rewrite(joints3D=np.full((3, 24, 12), np.nan)), "has joints3D that are not finite numbers"),
        (rewrite(gender=np.full((12, 1), 2)), "has gender 2, expected 0 or 1"),
        (lambda root, path: path.unlink(), "_info.mat does not exist. Download"),
        (lambda root, path: path.write_bytes(path.read_bytes()[:200]), "cannot be read as a .mat file"),
    ],
)
def test_a_broken_annotation_is_named_and_costs_its_video_only(own_copy, damage, reason, capfd):
    damage(own_copy, own_copy / "surreal/data/cmu/train" / MAN.replace(".mp4", "_info.mat"))
    summary = surreal.Surreal().make_split("train", workers=1)
    assert list(summary.broken) == [MAN]
    assert reason in summary.broken[MAN]
    assert f"broken {MAN}" in capfd.readouterr().err
    assert set(load(own_copy, "surreal_train")["videoname"]) == {WOMAN, video_name(2)}


def shorten(root: Path, folder: str, name: str, count: int) -> None:
    """Keep the first `count` frames of a video and all of its annotations."""
    path = root / "surreal" / folder / name
    frames = [read_frame(path, frame, "") for frame in range(count)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (320, 240))
    for frame in frames:
        writer.write(frame)
    writer.release()


def test_a_video_shorter_than_its_annotations_gives_rows_and_images_of_its_own_frames_alone(own_copy):
    shorten(own_copy, config.SURREAL_TRAIN_FOLDER, WOMAN, 14)
    shorten(own_copy, config.SURREAL_TRAIN_FOLDER, MAN, 11)  # of 12: every tenth frame is there
    shutil.rmtree(own_copy / "DATASET_NPZ_PATH")
    shutil.rmtree(own_copy / "surreal/BF_IUV_gt")
    finished = preprocess(SURREAL, own_copy, "--train_files", "--gt_iuv")
    assert finished.returncode == 0
    assert "surreal_train: 3 made, 0 kept from before, 1 incomplete" in finished.stdout
    assert f"incomplete {WOMAN}: 14 frames can be decoded, but the annotations have 21. Download" in finished.stderr
    table = load(own_copy, "surreal_train")
    assert table["framenum"][table["videoname"] == WOMAN].tolist() == [0, 10]
    assert table["framenum"][table["videoname"] == MAN].tolist() == [0, 10]
    drawn = [path.name for path in (own_copy / "surreal/BF_IUV_gt").rglob("*.png")]
    assert sorted(drawn) == sorted(Path(name).name for name in table["iuv_names"])


def test_a_cut_off_file_counts_by_the_frames_that_it_still_has(tmp_path):
    """The header at its front, as of videos made for the web, still states the whole number."""
    whole = tmp_path / "whole.avi"  # whose header stands in front
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for value in range(40):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert count_frames(whole, 100) == 40 and count_frames(whole, 7) == 7
    assert 0 < count_frames(cut, 100) < 20
    cut.write_bytes(b"not a video")
    assert count_frames(cut, 100) == 0


def test_a_validation_video_without_its_middle_frame_is_broken(own_copy, capfd):
    name = video_name(3)
    shorten(own_copy, config.SURREAL_VALIDATION_FOLDER, name, 2)  # of 4: frame 2 is the middle one
    summary = surreal.Surreal().make_split("test", workers=1)
    assert "2 frames can be decoded, but the annotations have 4" in summary.broken[name]
    assert load(own_copy, "surreal_val")["videoname"].tolist() == [video_name(0)]
    assert f"broken {name}" in capfd.readouterr().err


def test_broken_videos_change_the_exit_code(own_copy):
    (own_copy / "surreal/data/cmu/train" / MAN.replace(".mp4", "_info.mat")).unlink()
    finished = preprocess(SURREAL, own_copy, "--train_files")
    assert finished.returncode == 1 and f"1 broken samples: {MAN}" in finished.stdout
    assert preprocess(SURREAL, own_copy, "--train_files", "--skip_bad").returncode == 0


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("valid_list.txt", "[1, 9]", "valid_list.txt names line 9, but .*namescmu.txt has 4 lines"),
        ("valid_list.txt", "one, two", r"valid_list.txt is not a list such as \[1, 2, 4\]"),
        ("valid_list.txt", "[]", "namescmu.txt has no valid line, expected tab-separated"),
        ("namescmu.txt", "a\nb\nc\nd\n", "namescmu.txt has the line 'a', expected tab-separated"),
        ("namescmu.txt", None, "namescmu.txt does not exist"),
        ("valid_list.txt", None, "valid_list.txt does not exist"),
    ],
)
def test_wrong_lists_are_explained(own_copy, file, text, message):
    path = own_copy / "surreal" / file
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        surreal.Surreal().make_split("test", workers=1)


def test_a_folder_without_videos_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    with pytest.raises(UserError, match=r"surreal does not exist. Put surreal there"):
        surreal.Surreal().make_split("train", workers=1)
    (tmp_path / "surreal").mkdir()
    with pytest.raises(UserError, match=r"surreal/data/cmu/train holds no <run>/<sequence>/<name>.mp4"):
        surreal.Surreal().make_split("train", workers=1)
