"""3DPW: from pickles of the world to rows before the camera, and what the user is told."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets.preprocess import pw3d
from tests.helpers import tiny_mocap, tiny_up3d
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.errors import UserError

PAIR, ALONE = "downtown_pair_00", "downtown_walk_00"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("pw3d")
    contents = {PAIR: tiny_mocap.recording(PAIR), ALONE: tiny_mocap.recording(ALONE, people=1, seed=1)}
    for content in contents.values():
        tiny_mocap.write_recording(root / "3dpw", content)
    return root, contents


@pytest.fixture
def contents(original, tmp_path, monkeypatch) -> dict:
    """What the pickles of a copy hold that a test may change, which is the data root of this process."""
    root = Path(shutil.copytree(original[0], tmp_path / "data"))
    monkeypatch.setattr(config, "_root", root)
    return {name: pickle.loads(pickle.dumps(content)) for name, content in original[1].items()}


def folder() -> Path:
    return config.data_root() / "3dpw"


def file(name: str) -> Path:
    return folder() / "sequenceFiles/test" / f"{name}.pkl"


def rewrite(content: dict) -> None:
    file(content["sequence"]).write_bytes(pickle.dumps(content, 2))


def make():
    return pw3d.PW3D().make_split("test", 1)


def table() -> dict:
    return load(config.data_root(), "3dpw_test")


# ---- rows ----


def test_rows_are_those_of_every_person_and_frame(contents):
    make()
    rows = table()
    places = [(PAIR, person, frame) for person in range(2) for frame in range(6)]
    places += [(ALONE, 0, frame) for frame in range(6)]
    assert rows["imgname"].tolist() == [f"imageFiles/{name}/image_{frame:05d}.jpg" for name, _, frame in places]
    assert rows["gender"].tolist() == [contents[name]["genders"][person] for name, person, _ in places]
    betas = [contents[name]["betas"][person] for name, person, _ in places]
    np.testing.assert_allclose(rows["shape"], betas, atol=1e-6)
    for row, (name, person, frame) in enumerate(places):
        content = contents[name]
        x, y, confidence = content["poses2d"][person][frame]
        x, y = x[confidence > 0], y[confidence > 0]
        assert 0 < len(x) < 18
        np.testing.assert_allclose(rows["center"][row], [(x.min() + x.max()) / 2, (y.min() + y.max()) / 2])
        np.testing.assert_allclose(rows["scale"][row], 1.2 * max(np.ptp(x), np.ptp(y)) / 200)
        pose = content["poses"][person][frame].copy()
        pose[:3] = (
            Rotation.from_matrix(content["cam_poses"][frame, :3, :3]) * Rotation.from_rotvec(pose[:3])
        ).as_rotvec()
        np.testing.assert_allclose(rows["pose"][row], pose, atol=1e-5)


def test_the_mesh_of_the_world_turned_by_the_camera_is_the_mesh_of_the_row(contents):
    """Up to a translation, for the body model's posing and the camera's rotation of points."""
    tiny_up3d.write_body(config.data_root())
    body = load_body_model(config.SMPL_FILE)
    make()
    rows = table()
    for row, frame in ((2, 2), (9, 3)):
        content, person = contents[PAIR], row // 6
        world = pose_vertices(body, content["poses"][person][frame], content["betas"][person])
        before_camera = np.array([content["cam_poses"][frame, :3, :3] @ vertex for vertex in world])
        found = pose_vertices(body, rows["pose"][row], rows["shape"][row])
        np.testing.assert_allclose(found - found[0], before_camera - before_camera[0], atol=1e-5)
        assert np.abs((found - found[0]) - (world - world[0])).max() > 0.1  # the camera does turn


def test_frames_without_camera_or_keypoints_are_left_out(contents):
    content = contents[PAIR]
    content["campose_valid"][0][1] = 0
    content["campose_valid"][1][4] = 0
    content["poses2d"][0][2, 2] = 0  # no keypoint
    content["poses2d"][0][3, 2] = 0
    content["poses2d"][0][3, 2, 7] = 0.5  # a single one has no extent
    rewrite(content)
    assert not make().broken
    names = [
        name[-9:-4] for name, sequence in zip(table()["imgname"], table()["sequence"], strict=True) if PAIR in sequence
    ]
    assert names == ["00000", "00004", "00005", "00000", "00001", "00002", "00003", "00005"]


@pytest.mark.parametrize(
    "change",
    [
        {"betas": [np.arange(300.0), np.arange(300.0)]},
        {"genders": [b"m", "F"]},
        {"genders": np.array(["male", "female"], object)},
        {"campose_valid": [[True] * 6, [1.0] * 6]},
        {"sequence": PAIR.encode()},
        {"texture_maps": [], "jointPositions": None},
    ],
)
def test_relatives_of_the_format_give_the_same_rows(contents, change):
    content = contents[PAIR]
    content["betas"] = [np.arange(10.0), np.arange(10.0)]
    rewrite(content)
    make()
    before = table()
    file(PAIR).write_bytes(pickle.dumps(content | change, 2))
    assert make().done == 1
    assert all(np.array_equal(table()[key], before[key]) for key in before)


def test_arrays_of_objects_and_pickles_in_capitals_are_read(contents):
    make()
    before = table()
    content = contents[PAIR]
    for key in ("poses", "poses2d"):
        people = np.empty(2, object)
        people[:] = content[key]
        content[key] = people
    file(PAIR).unlink()
    file(PAIR).with_suffix(".PKL").write_bytes(pickle.dumps(content, 2))
    make()
    assert all(np.array_equal(table()[key], before[key]) for key in before if key != "sequence")


def test_a_second_run_touches_nothing_and_a_lost_image_is_noticed(contents):
    make()
    path = config.DATASET_NPZ_PATH / "3dpw_test.npz"
    before = path.stat().st_mtime_ns
    assert make().kept == 2 and path.stat().st_mtime_ns == before
    (folder() / "imageFiles" / ALONE / "image_00003.jpg").unlink()
    summary = make()
    assert summary.kept == 1
    assert "image_00003.jpg does not exist: 1 of 6 images are missing. Download" in summary.broken[f"{ALONE}.pkl"]


# ---- damage ----


def test_numbers_that_are_not_finite_cost_their_frames_only(contents):
    content = contents[PAIR]
    content["poses"][0][1, 40] = np.nan
    content["cam_poses"][2, 0, 0] = np.inf
    content["poses2d"][1][3, 0, 0], content["poses2d"][1][3, 2, 0] = np.nan, 1
    content["poses2d"][1][4, 0, 0], content["poses2d"][1][4, 2, 0] = np.nan, 0  # not visible
    rewrite(content)
    reason = make().incomplete[f"{PAIR}.pkl"]
    assert "not finite in 3 frames (1, 2, 3)" in reason
    assert (table()["sequence"] == f"{PAIR}.pkl").sum() == 5 + 4 - 1 + 0
    assert np.isfinite(table()["pose"]).all() and np.isfinite(table()["center"]).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"poses": [np.zeros((6, 72))]}, "has poses of 1, betas of 2"),
        ({"poses": [np.zeros((5, 72))] * 2}, "has poses of shape (5, 72) for person 0, expected (6, 72)"),
        ({"poses2d": [np.zeros((6, 18, 3))] * 2}, "has poses2d of shape (6, 18, 3) for person 0"),
        ({"cam_poses": np.zeros((6, 3, 3))}, "has cam_poses of shape (6, 3, 3)"),
        ({"betas": [np.zeros(9)] * 2}, "betas of person 0 that are not 10 finite numbers"),
        ({"betas": [np.zeros(10), np.full(10, np.nan)]}, "betas of person 1 that are not 10 finite numbers"),
        ({"genders": ["m", "x"]}, "the gender 'x' for person 1, expected m or f"),
        ({"sequence": "../../elsewhere"}, "names '../../elsewhere'"),
        ({"poses": [["a"] * 72] * 2}, "has poses that are not numbers"),
    ],
)
def test_wrong_content_is_named_and_costs_its_sequence_only(contents, change, reason, capfd):
    file(PAIR).write_bytes(pickle.dumps(contents[PAIR] | change, 2))
    summary = make()
    assert list(summary.broken) == [f"{PAIR}.pkl"] and reason in summary.broken[f"{PAIR}.pkl"], summary
    assert set(table()["sequence"]) == {f"{ALONE}.pkl"}
    assert f"broken {PAIR}.pkl" in capfd.readouterr().err


@pytest.mark.parametrize("key", ["poses", "betas", "poses2d", "cam_poses", "genders", "campose_valid"])
def test_what_a_pickle_lacks_is_named(contents, key):
    del contents[PAIR][key]
    rewrite(contents[PAIR])
    assert f"has no {key}. Download" in make().broken[f"{PAIR}.pkl"]


def test_a_cut_pickle_is_named_by_the_script_with_exit_code_1(contents):
    file(PAIR).write_bytes(file(PAIR).read_bytes()[:-200])
    finished = preprocess("preprocess_datasets.py", config.data_root(), "--dataset", "3dpw", "--eval_files")
    assert finished.returncode == 1 and f"1 broken samples: {PAIR}.pkl" in finished.stdout
    assert "cannot be read as a pickle" in finished.stderr
    shutil.rmtree(folder() / "sequenceFiles")
    finished = preprocess("preprocess_datasets.py", config.data_root(), "--dataset", "3dpw", "--eval_files")
    assert finished.returncode == 2 and "sequenceFiles/test holds no .pkl" in finished.stderr


def test_3dpw_has_no_training_split(contents):
    finished = preprocess("preprocess_datasets.py", config.data_root(), "--dataset", "3dpw", "--train_files")
    assert finished.returncode == 2 and "Give --eval_files" in finished.stderr


def test_a_missing_folder_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    with pytest.raises(UserError, match="3dpw does not exist. Put 3dpw there"):
        make()
