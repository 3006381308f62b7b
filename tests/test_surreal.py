"""SURREAL: from mirrored videos and .mat files to rows, IUV images and items, and what the user is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from datasets.preprocess import surreal
from datasets.preprocess.generate_gt_iuv import draw_iuv, load_atlas_faces
from datasets.surreal_dataset import SurrealDataset
from datasets.synthetic import videos
from datasets.synthetic.surreal import open_stages, video_name, write_video
from datasets.synthetic.view import Backdrop
from datasets.video import read_frame
from models.ground_truth import GroundTruth
from tests import tiny_surreal
from tests.test_dataset import make_options, same
from utils import config, imutils
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import PerspectiveCamera
from utils.errors import UserError
from utils.metrics import pose_errors
from utils.renderer import cast_mesh

REPOSITORY = Path(__file__).resolve().parent.parent
ALL_STEPS = ("--train_files", "--eval_files", "--gt_iuv")
WOMAN, MAN = video_name(0), video_name(3)
GENDERS = {"m": "MALE_SMPL_FILE", "f": "FEMALE_SMPL_FILE"}


def preprocess(root: Path, *options: str, workers: int = 1) -> subprocess.CompletedProcess:
    command = [sys.executable, "preprocess_surreal.py", *options, "--workers", str(workers)]
    environment = os.environ | {"DECOMR_DATA": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def load(root: Path, name: str = "surreal_train") -> dict:
    with np.load(root / "DATASET_NPZ_PATH" / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data root after all steps; tests that change it take a copy."""
    root = tmp_path_factory.mktemp("surreal")
    tiny_surreal.write_data(root)
    finished = preprocess(root, *ALL_STEPS)
    assert finished.returncode == 0, finished.stderr
    assert "surreal_train: 3 made" in finished.stdout and "surreal_val: 2 made" in finished.stdout
    assert finished.stderr.count("the video has one frame only") == 2
    return root


@pytest.fixture(autouse=True)
def data_root(prepared, monkeypatch):
    monkeypatch.setattr(config, "_root", prepared)
    return prepared


@pytest.fixture
def own_copy(prepared, tmp_path, monkeypatch):
    root = Path(shutil.copytree(prepared, tmp_path / "data"))
    monkeypatch.setattr(config, "_root", root)
    return root


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
    table = load(prepared)
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
    table = load(prepared)
    assert set(table["gender"]) == {"f", "m"}
    for video, frame, name in zip(table["videoname"], table["framenum"], table["iuv_names"], strict=True):
        assert name == f"BF_IUV_gt/data/cmu/train/{video[:-4]}_{frame}.png"
        picture = read_frame(prepared / "surreal/data/cmu/train" / video, int(frame), "")[:, ::-1]
        iuv = cv2.imread(str(prepared / "surreal" / name), cv2.IMREAD_UNCHANGED)
        assert iuv.shape == (240, 320, 3)
        assert overlap(iuv[..., 0] > 0, silhouette(picture)) > 0.93
        assert overlap(iuv[:, ::-1, 0] > 0, silhouette(picture)) < 0.8  # the comparison can tell them apart


def test_the_generated_people_are_where_their_annotations_put_them(generated_root, monkeypatch, tmp_path):
    """The full-size bodies, painted white in a black world, encoded and decoded: the bright pixels are the mesh, put
    where the joints are before SURREAL's camera; and the IUV mask, whose camera is only weakly perspective, is near.
    """
    monkeypatch.setattr(config, "_root", generated_root)
    size = (surreal.HEIGHT, surreal.WIDTH)
    black = Backdrop(np.zeros((*size, 3)), np.full(size, np.inf), np.zeros((*size, 3)), 3.0, True)
    shine = videos.light_foreground

    def white(*args):
        coverage = shine(*args)[1]
        return np.repeat(coverage, 3, 2), coverage

    monkeypatch.setattr(videos, "make_backdrop", lambda *_: black)
    monkeypatch.setattr(videos, "light_foreground", white)
    for gender, stage in open_stages().items():
        take = videos.stage_take(stage.model, 5, gender, 3)
        path = tmp_path / f"{gender}.mp4"
        info = videos.annotate(stage.model, take)
        write_video(path, videos.film(stage, take, 5, gender), info)
        row = surreal.frame_row(surreal.read_info(surreal.info_file(path)), 2)
        assert row["gender"] == "fm"[gender]
        seen = silhouette(read_frame(path, 2, "")[:, ::-1])
        vertices = pose_vertices(stage.model, row["pose"], row["shape"])
        joints, faces = stage.model.joint_regressor @ vertices, stage.model.faces
        atlas = load_atlas_faces("BF", len(vertices))
        place = row["S_smpl"][0, :3] - joints[0] + (0, 1, info["camDist"])
        assert overlap(cast_mesh(vertices, faces, PerspectiveCamera(600, (159, 120), place), *size).mask, seen) > 0.93
        assert overlap(draw_iuv(vertices, joints, row["part_smpl"], *size, atlas)[..., 0] > 0, seen) > 0.75


# ---- which frames ----


def test_training_takes_every_tenth_frame_that_shows_all_joints(prepared):
    table = load(prepared)
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
    finished = preprocess(own_copy, *ALL_STEPS)
    assert finished.returncode == 0 and "0 made, 3 kept from before" in finished.stdout
    assert {path: path.stat().st_mtime_ns for path in own_copy.rglob("*.*")} == before
    one = load(own_copy)
    shutil.rmtree(own_copy / "DATASET_NPZ_PATH")
    lost = own_copy / "surreal" / one["iuv_names"][1]
    picture = lost.read_bytes()
    lost.unlink()
    finished = preprocess(own_copy, *ALL_STEPS, workers=2)
    assert "surreal_train BF IUV: 1 made, 5 kept from before" in finished.stdout
    assert lost.read_bytes() == picture
    two = load(own_copy)
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
        (rewrite(gender=np.full((12, 1), 2)), "has gender [2], expected 0 or 1"),
        (lambda root, path: path.unlink(), "_info.mat does not exist. Download"),
        (lambda root, path: path.write_bytes(path.read_bytes()[:200]), "cannot be read as a .mat file"),
    ],
)
def test_a_broken_annotation_is_named_and_costs_its_video_only(own_copy, damage, reason, capfd):
    damage(own_copy, own_copy / "surreal/data/cmu/train" / MAN.replace(".mp4", "_info.mat"))
    summary = surreal.Surreal().make_train(workers=1)
    assert list(summary.broken) == [MAN]
    assert reason in summary.broken[MAN]
    assert f"broken {MAN}" in capfd.readouterr().err
    assert set(load(own_copy)["videoname"]) == {WOMAN, video_name(2)}


def test_broken_videos_change_the_exit_code(own_copy):
    (own_copy / "surreal/data/cmu/train" / MAN.replace(".mp4", "_info.mat")).unlink()
    finished = preprocess(own_copy, "--train_files")
    assert finished.returncode == 1 and f"1 broken samples: {MAN}" in finished.stdout
    assert preprocess(own_copy, "--train_files", "--skip_bad").returncode == 0


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
        surreal.Surreal().make_eval(workers=1)


def test_a_folder_without_videos_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    with pytest.raises(UserError, match=r"surreal/data/cmu/train holds no <run>/<sequence>/<name>.mp4"):
        surreal.Surreal().make_train(workers=1)


# ---- items ----


def dataset(split: str = "train", **changes) -> SurrealDataset:
    return open_dataset(make_options(dataset="surreal", **changes), split)


def test_an_item_holds_smpl_joints_and_gender_and_no_training_joints():
    for index, item in enumerate(map(dataset().item, range(6))):
        assert (item["has_smpl"], item["has_dp"], item["has_pose_3d_smpl"], item["has_pose_3d"]) == (1, 1, 1, 0)
        assert item["gender"] == (0 if index in (3, 4) else 1)  # the third video has one row, of a woman
        assert not item["keypoints"].any() and (item["keypoints_smpl"][:, 2] == 1).all()
        assert item["orig_shape"].tolist() == [240, 320]
    assert dataset().item(1)["imgname"] == f"data/cmu/train/{WOMAN}:10"


@pytest.mark.parametrize("epoch", range(3))
def test_person_iuv_and_joints_stay_together_under_augmentation(epoch):
    """SMPL joints lie on this body's surface, so in the augmented picture they lie on the person's edge or within."""
    found = dataset(noise_factor=0.0)
    for index in range(len(found)):
        item = found.item(index, epoch)
        person, mask = item["img_orig"].max(axis=0) > 0.4, item["gt_iuv"][0] > 0
        assert overlap(person, mask) > 0.9
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) > 0
        pixels = np.rint((item["keypoints_smpl"][:, :2] + 1) * 48).astype(int)
        pixels = pixels[((pixels >= 0) & (pixels < 96)).all(axis=1)]
        assert len(pixels) and near[pixels[:, 1], pixels[:, 0]].all()


def test_a_mirrored_item_has_the_smpl_joints_of_the_mirrored_body():
    found, straight = dataset(rot_factor=0, scale_factor=0), dataset(no_augmentation=True)
    flipped = [(i, e) for i in range(6) for e in range(6) if found.draw_augmentation(i, e).flip]
    for index, epoch in flipped[:4]:
        one, two = straight.item(index), found.item(index, epoch)
        np.testing.assert_allclose(
            two["pose_3d_smpl"][:, :3], one["pose_3d_smpl"][imutils.SMPL_JOINT_FLIP, :3] * (-1, 1, 1), atol=1e-6
        )
        np.testing.assert_allclose(
            two["keypoints_smpl"][:, :2], one["keypoints_smpl"][imutils.SMPL_JOINT_FLIP, :2] * (-1, 1), atol=1e-5
        )


@pytest.mark.parametrize("num_workers", [1, 2])
def test_frames_are_the_same_for_any_number_of_workers_after_this_process_has_read_some(num_workers):
    found = dataset()
    expected = [found.item(index, 1) for index in (4, 0, 2)]  # leaves videos open, which workers inherit
    loader = create_loader(
        found, ("img", "keypoints_smpl", "gender"), 1, epoch=1, shuffle=False, drop_last=False, num_workers=num_workers
    )
    batches = [{key: np.asarray(value)[0] for key, value in batch.items()} for batch in loader]
    for index, item in zip((4, 0, 2), expected, strict=True):
        assert same(batches[index], {key: item[key] for key in batches[index]})
    assert same(found.item(4, 1), expected[0])  # and this process reads on


def test_the_true_mesh_is_that_of_the_gender_s_own_body(prepared):
    found = dataset("test")
    for index, gender in enumerate("fm"):
        model = load_body_model(prepared / getattr(config, GENDERS[gender]).name)
        expected = pose_vertices(model, found.table["pose"][index], found.table["shape"][index])
        np.testing.assert_array_equal(found.true_vertices(index), expected)


def test_an_npz_that_is_missing_or_not_of_surreal_says_what_to_run(own_copy):
    path = config.DATASET_NPZ_PATH / "surreal_val.npz"
    table = load(own_copy, "surreal_val")
    np.savez(path, **{key: value for key, value in table.items() if key != "framenum"})
    with pytest.raises(UserError, match=r"has no framenum. Delete it. Run: python preprocess_surreal.py"):
        dataset("test")
    path.unlink()
    with pytest.raises(UserError, match=r"surreal_val.npz does not exist. Run: python preprocess_surreal.py"):
        dataset("test")


# ---- the true mesh on the device ----


@pytest.mark.parametrize(("gender", "index"), [("f", 0), ("m", 1)])
def test_a_perfectly_known_mesh_has_no_shape_error_for_either_gender(prepared, gender, index):
    """What eval.py compares: a prediction equal to the true mesh, by numpy, with the truth made from a batch."""
    found = dataset("test")
    names = ("pose", "betas", "gender")
    batch = next(iter(create_loader(found, names, 2, shuffle=False, drop_last=False, num_workers=0)))
    true, location_map = (output.asnumpy() for output in GroundTruth(128, "BF", gendered=True)(*map(batch.get, names)))
    assert np.isfinite(location_map).all()
    assert batch["gender"].asnumpy()[index] == {"m": 0, "f": 1}[gender]
    lsp_rows = load_joint_regressors().lsp_rows

    def shape_error(vertices) -> float:
        vertices, one = np.asarray(vertices)[None], true[index : index + 1].astype(np.float64)
        return float(pose_errors(vertices, lsp_rows @ vertices, one, lsp_rows @ one)["shape_error"][0])

    assert shape_error(found.true_vertices(index)) < 1e-3  # mm; the batch is in single precision
    row = found.table["pose"][index], found.table["shape"][index]
    for other in ("SMPL_FILE", *(file for letter, file in GENDERS.items() if letter != gender)):
        assert shape_error(pose_vertices(load_body_model(getattr(config, other)), *row)) > 5
