"""MPII: which people become rows, with which joints and boxes; variants of its HDF5 file, and damaged ones."""

import builtins

import h5py
import numpy as np
import pytest

from datasets.preprocess import annotated_pictures
from datasets.preprocess.mpii import Mpii
from tests.helpers import tiny_up3d, tiny_wild
from tests.helpers.prepared import load, preprocess
from utils import config
from utils.errors import UserError

NPZ = "mpii_train"
SPREAD = np.arange(48.0).reshape(24, 2) + 5  # places of joints that all differ


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "_root", tmp_path)
    return tmp_path


def prepare(root, joints, content=None):
    tiny_wild.write_mpii(root, joints, content)
    Mpii().make_split("train", 1)
    return load(root, NPZ)


def test_every_joint_is_the_training_joint_of_its_number(root):
    part = prepare(root, tiny_wild.one_moved_at_a_time(SPREAD))["part"]
    tiny_wild.assert_own_places(part, SPREAD, tiny_wild.MPII)


def test_centre_scale_and_order_are_those_of_the_file(root):
    table = prepare(root, [SPREAD] * 3)
    assert set(table) == {"id", "imgname", "center", "scale", "part"}
    assert table["imgname"].tolist() == [f"images/{index:09d}.jpg" for index in range(3)]
    np.testing.assert_array_equal(table["center"], [[70, 90], [71, 90], [72, 90]])
    np.testing.assert_allclose(table["scale"], [0.8, 0.85, 0.9])


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(("joint", "axis"), [(0, 0), (15, 1), (7, 0)])
def test_a_person_with_a_coordinate_that_is_not_above_0_is_left_out(root, value, joint, axis):
    content = tiny_wild.mpii_content([SPREAD] * 3)
    content["part"][1, joint, axis] = value
    content["part"][2, joint, axis] = 0.5
    assert prepare(root, [SPREAD] * 3, content)["id"].tolist() == [0, 2]


def as_text(content):
    content["imgname"] = [name.decode() for name in content["imgname"]]


def as_fixed_bytes(content):
    content["imgname"] = np.array(content["imgname"])


def as_columns(content):
    content["scale"] = content["scale"][:, None].astype(np.float32)
    content["imgname"] = np.array(content["imgname"])[:, None]


@pytest.mark.parametrize("change", [as_text, as_fixed_bytes, as_columns])
def test_names_may_be_bytes_or_text_and_columns_have_two_axes(root, change):
    expected = prepare(root, [SPREAD] * 2)
    Mpii().npz_file("train").unlink()
    content = tiny_wild.mpii_content([SPREAD] * 2)
    change(content)
    found = prepare(root, [SPREAD] * 2, content)
    assert found["imgname"].tolist() == expected["imgname"].tolist()
    np.testing.assert_allclose(found["scale"], expected["scale"], rtol=1e-6)


def test_people_of_one_picture_keep_their_rows_when_a_run_is_interrupted(root, monkeypatch):
    """The same picture comes twice, and another between."""
    content = tiny_wild.mpii_content([SPREAD + index for index in range(4)])
    content["imgname"][2] = content["imgname"][0]
    tiny_wild.write_mpii(root, [SPREAD] * 4, content)
    measure, calls = annotated_pictures.image_size, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(annotated_pictures, "image_size", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Mpii().make_split("train", 1)
    assert not Mpii().npz_file("train").exists()
    summary = Mpii().make_split("train", 1)
    assert (summary.kept, summary.done) == (3, 1)
    table = load(root, NPZ)
    assert table["id"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(table["part"][:, 0, 0], 5 + np.arange(4))
    assert Mpii().make_split("train", 1).done == 0


def test_pictures_that_cannot_be_read_are_named(root):
    tiny_wild.write_mpii(root, [SPREAD] * 3)
    (root / "mpii/images/000000000.jpg").unlink()
    (root / "mpii/images/000000002.jpg").write_bytes(b"")
    summary = Mpii().make_split("train", 1)
    assert set(summary.broken) == {"0", "2"} and "000000002.jpg" in summary.broken["2"]
    assert load(root, NPZ)["id"].tolist() == [1]


def replace(name, value):
    return lambda content: content.update({name: value})


DAMAGES = {
    "no scale": (lambda content: content.pop("scale"), "has no scale"),
    "joints of another set": (replace("part", np.ones((2, 14, 2))), r"part of shape (2, 14, 2), expected (2, 16, 2)"),
    "fewer centres": (replace("center", np.ones((1, 2))), "center of shape (1, 2)"),
    "names that are numbers": (replace("imgname", np.ones(2)), "imgname of float values, expected text"),
    "one name": (replace("imgname", b"a.jpg"), "center of shape (2, 2), expected (1, 2)"),
    "scales of words": (replace("scale", np.array([b"x", b"y"])), "scale that are not numbers"),
    "a picture elsewhere": (replace("imgname", [b"../../a.jpg", b"b.jpg"]), "expected the name of a file below"),
    "nobody": (replace("part", -np.ones((2, 16, 2))), "has no person whose coordinates"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_annotation_file_gives_one_line(root, kind):
    damage, expected = DAMAGES[kind]
    content = tiny_wild.mpii_content([SPREAD, SPREAD])
    damage(content)
    path = tiny_wild.write_mpii(root, [SPREAD, SPREAD], content)
    with pytest.raises(UserError) as error:
        Mpii().make_split("train", 1)
    assert str(path) in str(error.value) and expected in str(error.value) and "\n" not in str(error.value)


def test_a_group_in_place_of_an_array_and_an_array_without_content_are_refused(root):
    path = tiny_wild.write_mpii(root, [SPREAD])
    with h5py.File(path, "a") as file:
        del file["scale"], file["center"]
        file.create_group("scale")
        file.create_dataset("center", shape=(10**9, 2), chunks=True, dtype="f8")
    with pytest.raises(UserError, match="has no scale"):
        Mpii().make_split("train", 1)
    with h5py.File(path, "a") as file:
        del file["scale"]
        file["scale"] = [1.0]
    with pytest.raises(UserError, match="center has shape"):
        Mpii().make_split("train", 1)


@pytest.mark.parametrize(("content", "expected"), [(b"no HDF5", "cannot be read as an HDF5"), (None, "does not exist")])
def test_a_file_that_is_not_hdf5_ends_the_command_with_exit_code_2(root, content, expected):
    path = tiny_wild.write_mpii(root, [SPREAD])
    whole = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "mpii", "--train_files")
    assert finished.returncode == 2 and expected in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read as an HDF5"):
        Mpii().make_split("train", 1)


def test_without_h5py_one_line_says_how_to_install_it(root, monkeypatch):
    tiny_wild.write_mpii(root, [SPREAD])
    real = builtins.__import__

    def missing(name, *arguments, **named):
        if name.split(".")[0] == "h5py":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr("importlib.import_module", lambda name: missing(name))
    with pytest.raises(UserError, match=r"MPII needs the package h5py: pip install -r requirements-benchmarks.txt"):
        Mpii().make_split("train", 1)


def test_iuv_images_are_drawn_of_spin_s_fits(root):
    tiny_up3d.write_body(root)
    people = tiny_wild.people(root, 2)
    tiny_wild.write_mpii(root, [person.joints for person in people])
    tiny_wild.write_fits(root, "mpii", people)
    finished = preprocess("preprocess_datasets.py", root, "--dataset", "mpii", "--train_files", "--gt_iuv")
    assert finished.returncode == 0 and "mpii_train BF IUV: 2 made" in finished.stdout, finished.stderr
    assert load(root, NPZ)["iuv_names"].tolist() == [
        f"BF_IUV_gt/images/{index:09d}_{70 + index}_90.png" for index in range(2)
    ]
