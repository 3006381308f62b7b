"""Tables as other tools write them: text, shapes, units, genders and missing numbers; what is meant is taken."""

import os
import pickle

import numpy as np
import pytest
from mindspore import Tensor

from datasets.base_dataset import BaseDataset
from datasets.columns import read_table, tidy
from datasets.registry import BRING_IT
from evaluation.mean_mesh import mean_training_mesh
from models.ground_truth import GroundTruth
from tests.datasets.test_dataset import make_options
from tests.utils.test_pickles import Hostile
from utils import config, errors
from utils.array_files.pickles import load_arrays
from utils.body_model import load_joint_regressors
from utils.errors import UserError

NEEDED = ("imgname", "center", "scale")
# lengths of real people's bones in metres, by height: a child of two years and a man of 2.1 m
CHILD, TALL = 0.17, 0.52


@pytest.fixture(scope="module")
def prepared(prepared_up_3d):
    return prepared_up_3d


@pytest.fixture
def read(tmp_path):
    """Columns -> the table that is read of them, beside three images."""

    def read(**columns) -> dict:
        path = tmp_path / "table.npz"
        plain = {"imgname": np.array(["a.png", "b.png", "c.png"]), "center": np.ones((3, 2)), "scale": np.ones(3)}
        np.savez(path, **plain | columns)
        return read_table(path, BRING_IT, NEEDED)

    return read


def skeleton(bone: float, rows: int = 3) -> np.ndarray:
    """Joints [rows, 24, 4] whose neighbours are `bone` apart."""
    joints = np.ones((rows, 24, 4))
    joints[..., :3] = np.arange(24)[:, None] * bone / np.sqrt(3)
    joints[..., :3] -= joints[:, 14:15, :3]
    return joints


def change_table(root, **columns) -> None:
    """Give the training table other columns; a single row stands for all."""
    path = root / "DATASET_NPZ_PATH/up_3d_trainval.npz"
    table = dict(np.load(path))
    path.unlink()
    count = len(table["scale"])
    for name, column in columns.items():
        is_whole = np.ndim(column) and len(column) == count
        table[name] = column if is_whole else np.repeat(np.asarray(column)[None], count, 0)
    np.savez(path, **table)


# ---- types and shapes ----


@pytest.mark.parametrize("kind", [object, bytes, "bytes objects", "column"])
def test_text_is_read_however_it_is_stored(read, kind):
    names = ["a.png", "fo/b.png", "grün.png"]
    stored = {
        object: np.array(names, object),
        bytes: np.array([os.fsencode(name) for name in names]),
        "bytes objects": np.array([os.fsencode(name) for name in names], object),
        "column": np.array(names)[:, None],
    }[kind]
    found = read(imgname=stored, maskname=np.array([None, "m.png", np.nan], object))
    assert found["imgname"].tolist() == names and found["imgname"].dtype.kind == "U"
    assert found["maskname"].tolist() == ["", "m.png", ""]


def test_names_of_no_known_encoding_lead_to_their_files(read, tmp_path):
    name = b"\xd5\xd5\xc6\xac.png"  # GBK
    (tmp_path / "images").mkdir()
    with open(os.path.join(os.fsencode(tmp_path / "images"), name), "wb"):
        found = read(imgname=np.array([name, b"b", b"c"]))["imgname"][0]
    assert (tmp_path / "images" / str(found)).is_file()


def test_numbers_in_objects_and_columns_are_read(read):
    rng = np.random.default_rng(0)
    pose, shape, joints = rng.random((3, 24, 3)), rng.random((3, 1, 10)), skeleton(0.4)
    rows = np.empty(3, object)
    rows[:] = list(joints)
    found = read(
        pose=pose, shape=shape, center=np.array([[[1, 2]], [[3, 4]], [[5, 6]]]), scale=np.array([[1], [2], [3]], "O"),
        has_smpl=np.ones((3, 1), bool), fit_joint_error=rng.random((3, 1)).astype(object), S=rows,
        gender=np.array([["m"], ["f"], ["m"]]), framenum=np.array([1.0, 2, 3]),
    )  # fmt: skip
    np.testing.assert_array_equal(found["pose"], pose.reshape(3, 72))
    np.testing.assert_array_equal(found["shape"], shape[:, 0])
    np.testing.assert_array_equal(found["S"], joints)
    assert found["center"].tolist() == [[1, 2], [3, 4], [5, 6]] and found["scale"].tolist() == [1, 2, 3]
    assert found["has_smpl"].shape == found["fit_joint_error"].shape == found["gender"].shape == (3,)
    assert found["framenum"].dtype.kind == "i"


def test_an_object_that_a_table_needs_is_read_under_the_rule_of_pickles_and_others_are_left_out(read, tmp_path):
    witness = tmp_path / "it_ran"
    attack = np.array([Hostile(os.system, f"touch {witness}")] * 3, object)
    with pytest.raises(UserError, match=r"table.npz cannot be read: it asks for (posix|nt)\.system"):
        read(pose=attack)
    assert "notes" not in read(notes=attack)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"imgname": np.array(["a", "", "c"])}, "has imgname of '' in row 1, expected text"),
        ({"maskname": np.array(["a", 3, "c"], object)}, "has maskname of '3' in row 1, expected text"),
        ({"imgname": np.zeros((3, 2))}, r"imgname of shape \(3, 2\), expected one value per row"),
        ({"center": np.array([[1, 2], [3, np.nan], [5, 6]])}, r"has center of \[ 3. nan\] in row 1, expected finite"),
        ({"scale": np.array([1, 2, -1])}, "has scale of -1 in row 2"),
        ({"framenum": np.array([1, 2.5, 3])}, "has framenum of 2.5 in row 1, expected a whole number"),
        ({"S": np.zeros((3, 24, 3))}, r"shape \(3, 24, 4\): append the confidence, 1 for joints that are given and 0"),
        ({"part": np.zeros((3, 24, 2))}, r"shape \(3, 24, 3\): append the confidence"),
        ({"part": np.zeros((3, 49, 3))}, r"data/README.md gives, which of SPIN's 49 are the last, part\[:, 25:\]"),
        ({"S": np.zeros((3, 17, 4))}, r"24 joints in the order that data/README.md gives; confidence 0 for"),
        ({"pose": np.zeros((3, 24, 3, 3))}, "24 axis-angle triples, which scipy's Rotation.as_rotvec makes"),
        ({"shape": np.zeros((3, 300))}, r"keep the first 10, shape\[:, :10\]"),
        ({"pose": np.array([np.zeros(72), np.zeros(72), np.zeros(3)], object)}, "has pose of objects that are no"),
        ({"has_smpl": np.array(["1", "0", "1"])}, "has has_smpl of shape .* and type <U1, expected numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_what_to_do(read, columns, message):
    with pytest.raises(UserError, match=message) as error:
        read(**columns)
    assert "\n" not in str(error.value)
    assert "Delete" not in str(error.value)  # not what the user brought


def test_a_table_that_this_program_makes_may_be_deleted(tmp_path):
    np.savez(tmp_path / "table.npz", imgname=["a"], scale=[0])
    with pytest.raises(UserError, match=r"in row 0, expected finite numbers\. Delete it\. Run: make"):
        read_table(tmp_path / "table.npz", "Run: make", ("imgname",))


# ---- units ----


@pytest.mark.parametrize("bone", [CHILD, TALL])
@pytest.mark.parametrize("name", ["S", "S_smpl"])
def test_metres_of_all_people_pass_and_other_units_are_refused(read, name, bone):
    if name == "S_smpl":  # whose bones skip two or three joints
        bone = bone / 3
    read(**{name: skeleton(bone)})
    with pytest.raises(UserError, match=rf"{name} with arm and leg bones of .*by 1000 if these are millimetres"):
        read(**{name: skeleton(bone) * (1000, 1000, 1000, 1)})
    with pytest.raises(UserError, match="by 100 if these are centimetres"):
        read(**{name: skeleton(bone) * (100, 100, 100, 1)})


def test_the_unit_is_judged_by_what_is_trusted_alone(read):
    joints = skeleton(TALL)
    joints[:, :6, :3] *= 1000
    joints[:, :6, 3] = 0
    joints[0, 8, :3] = np.nan
    read(S=joints)
    joints[:, :6, 3] = 1
    joints[:, 6:, 3] = 0
    with pytest.raises(UserError, match="millimetres"):
        read(S=joints)
    read(S=joints, has_pose_3d=np.zeros(3))
    joints[:, [0, 2, 3, 5], 3] = 0  # no bone is left
    read(S=joints)


# ---- genders ----


@pytest.mark.parametrize(
    "genders",
    [
        ["m", "f", "", "m"],
        ["Male", "FEMALE", "neutral", "M "],
        np.array([b"m", b"f", b"n", b"male"]),
        np.array(["m", b"f", None, "male"], object),
        [0, 1, -1, 0],
        [0.0, 1.0, np.nan, 0.0],
    ],
)
def test_words_and_numbers_of_gender_are_understood(genders):
    found = tidy("t.npz", {"gender": np.array(genders)}, "")["gender"]
    assert found.tolist() == ["m", "f", "", "m"]


@pytest.mark.parametrize("gender", ["x", "man", 2, 0.5, True, (1,)])
def test_other_genders_are_refused_with_row_and_value(gender):
    column = np.empty(2, object)
    column[:] = ["m", gender]
    with pytest.raises(UserError, match=r"t.npz has gender of .* in row 1, expected m or male.*Bring"):
        tidy("t.npz", {"gender": column}, "Bring another.")


def test_the_gender_of_a_row_says_the_body_model_of_its_mesh_and_a_line_says_so(own_copy, capsys, monkeypatch):
    monkeypatch.setattr(errors, "_warned", set())
    neutral = BaseDataset(make_options(no_augmentation=True)).true_vertices(0)
    assert capsys.readouterr().err == ""
    change_table(own_copy, gender="female")
    body = load_arrays(config.SMPL_FILE)
    body["v_template"] = 2 * np.asarray(body["v_template"])
    config.FEMALE_SMPL_FILE.write_bytes(pickle.dumps(body, protocol=2))
    for _ in range(2):
        dataset = BaseDataset(make_options(no_augmentation=True))
    assert dataset[0]["gender"] == 1 and dataset.mesh_genders() == (1,)
    assert np.ptp(dataset.true_vertices(0), axis=0).max() > 1.5 * np.ptp(neutral, axis=0).max()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "up_3d_trainval.npz: pose and shape are taken for those of the male and" in said


def test_a_gender_whose_body_model_is_missing_is_refused_and_one_of_no_mesh_is_not(own_copy):
    change_table(own_copy, gender="m")
    with pytest.raises(UserError, match=r"basicmodel_m_.* does not exist, but .* or take the column gender out"):
        BaseDataset(make_options()).mesh_genders()
    change_table(own_copy, has_smpl=0)
    assert BaseDataset(make_options()).mesh_genders() == ()


# ---- numbers that are not finite ----


def test_joints_that_nobody_trusts_are_zero_whatever_stands_there(own_copy):
    joints, places = np.full((24, 4), np.nan), np.full((24, 3), np.nan)
    joints[3:5] = [[0.1, 0.2, 0.3, 1], [np.inf, 0, 0, 0]]
    places[3:5] = [[10, 20, 1], [np.nan, np.nan, 0]]
    change_table(own_copy, S=joints, part=places)
    item = BaseDataset(make_options(no_augmentation=True))[0]
    assert np.isfinite(item["pose_3d"]).all() and np.isfinite(item["keypoints"]).all()
    assert np.flatnonzero(item["pose_3d"].any(1)).tolist() == [3]
    np.testing.assert_allclose(item["pose_3d"][3], [0.1, 0.2, 0.3, 1], rtol=1e-6)
    assert np.flatnonzero(item["keypoints"].any(1)).tolist() == [3]
    change_table(own_copy, S=np.full((24, 4), np.inf), has_pose_3d=0)
    item = BaseDataset(make_options())[0]
    assert not item["pose_3d"].any() and item["has_pose_3d"] == 0


@pytest.mark.parametrize("flag", [0, np.nan])
def test_a_mesh_that_nobody_trusts_is_at_rest_whatever_stands_there(own_copy, flag):
    nothing = {"pose": np.full(72, np.nan), "shape": np.full(10, np.inf), "fit_joint_error": np.nan}
    change_table(own_copy, has_smpl=flag, **nothing)
    dataset = BaseDataset(make_options())
    for epoch in range(4):  # turned and mirrored too
        item = dataset.item(1, epoch)
        assert item["has_smpl"] == 0 and np.isfinite([*item["pose"], *item["betas"], item["fit_joint_error"]]).all()
    true, _ = GroundTruth(32, "BF")(*(Tensor(np.asarray(item[name])[None]) for name in ("pose", "betas", "gender")))
    assert np.isfinite(true.asnumpy()).all()


def test_rows_without_a_mesh_do_not_move_the_mean_mesh(own_copy, capsys):
    rows = load_joint_regressors().lsp_rows[2:4].mean(0, keepdims=True)  # the middle of the hips
    options = make_options(dataset="up-3d")
    pose = np.array(BaseDataset(options).table["pose"])
    kept = np.arange(len(pose)) == 2
    pose[~kept] = np.nan
    change_table(own_copy, pose=pose, has_smpl=kept)
    found, expected = mean_training_mesh(options, rows), BaseDataset(options).true_vertices(2)
    np.testing.assert_allclose(np.ptp(found, 0), np.ptp(expected, 0))
    change_table(own_copy, has_smpl=~kept & False)
    capsys.readouterr()
    assert mean_training_mesh(options, rows) is None
    assert "no mean training mesh as a baseline" in (line := capsys.readouterr().err)
    assert "up_3d_trainval.npz has no row with a mesh" in line and len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("S", [0, np.nan, 0, 0.5]),
        ("part", [np.inf, 0, 1]),
        ("pose", np.nan),
        ("shape", np.inf),
        ("fit_joint_error", np.nan),
    ],
)
def test_a_trusted_number_that_is_not_finite_is_named_with_file_row_and_column(own_copy, name, row):
    shapes = {"S": (24, 4), "part": (24, 3), "pose": (72,), "shape": (10,), "fit_joint_error": ()}
    column = np.zeros(shapes[name])
    column[7 if column.ndim else ()] = row
    change_table(own_copy, **{name: column})
    dataset = BaseDataset(make_options())
    with pytest.raises(UserError, match=rf"trainval\.npz, row 1 \(.*\): {name} holds numbers that are not finite"):
        dataset[1]
