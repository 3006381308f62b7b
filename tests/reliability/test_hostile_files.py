"""Attacks by name: each did something else than read before its reader was mended."""

import contextlib
import json
import pickle
import re
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import utils.environment  # noqa: F401, I001  before MindSpore
from datasets.base_dataset import BaseDataset
from datasets.preprocess import surreal, up_3d
from reconstruction.inputs import read_photos
from tests.helpers.tiny_up3d import write_data
from tests.reliability.fuzz.contents import body_model, bytes_of, large_png, mats
from tests.reliability.fuzz.guard import GUARD
from utils import config, surreal_files
from utils.array_files.pickles import load_pickle
from utils.body_model import load_body_model
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.files import inside, read_npz
from utils.media import image_files
from utils.objfile import read_obj
from utils.train_options import TrainOptions

# ---- pickles ----


class Call:
    """Pickled as a call of `function` with `arguments`, then `state`."""

    def __init__(self, function, arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def load(tmp_path):
    def load(content):
        path = tmp_path / "content.pkl"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, 2))
        return load_pickle(path)

    return load


def test_bytes_do_not_become_pointers(load):
    """A record with a field of objects, without the flag that says so: numpy would take bytes for addresses."""
    record = (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 8, 0)
    state = (1, (1,), Call(np.dtype, ("V8", False, True), record), False, b"\x41" * 8)
    array = Call(np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state)
    with pytest.raises(UserError, match="an array of type 'V8', expected numbers or text"):
        load({"pose": array})


@pytest.mark.parametrize("code", ["V8", "f8,O", "O,O", "m8[ns]", "(1000000,1000000)f8"])
def test_only_plain_types_are_built(load, code):
    with pytest.raises(UserError, match=r"an array of type '.*', expected numbers or text"):
        load({"pose": Call(np.dtype, (code, False, True))})


def test_an_array_has_as_many_elements_as_bytes(load):
    array = Call(
        np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, (10**9,), np.dtype("f8"), False, b"12345678")
    )
    with pytest.raises(UserError, match="8 bytes for an array of 8000000000"):
        load({"pose": array})


@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
def test_the_indices_of_a_sparse_matrix_lie_inside_it(load, kind):
    """scipy writes where they point to, when the matrix is unfolded."""
    matrix = scipy.sparse.random(4, 6, 0.5, kind, random_state=0)
    indices = matrix.col if kind == "coo" else matrix.indices
    indices[1] = 10**6
    with pytest.raises(UserError, match="cannot be read as a pickle of arrays"):
        load({"J_regressor": matrix})


def test_a_sparse_matrix_of_a_hundred_million_rows_is_not_unfolded(tmp_path):
    content = pickle.loads(body_model())
    content["J_regressor"] = scipy.sparse.coo_matrix((10**8, 100))
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(UserError, match=r"is not an SMPL model: J_regressor has shape \(100000000, 100\)"):
        load_body_model(path)


@pytest.mark.parametrize(
    "content",
    [
        b"}r\xff\xff\xff\x7f.",  # memo number 2 147 483 647
        b"\x80\x05\x96" + struct.pack("<Q", 2**34) + b".",  # a bytearray of 16 GiB
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
    ],
)
def test_no_number_in_a_pickle_takes_memory(load, content, tmp_path):
    with contextlib.suppress(UserError):
        GUARD(tmp_path, load, content)


def test_dicts_that_stand_in_each_other_twice_are_read_once(load):
    """2^60 paths lead to the innermost."""
    inner = {}
    for _ in range(60):
        inner = {"a": inner, "b": inner}
    started = time.monotonic()
    assert set(load(inner)) == {"a", "b"}
    assert time.monotonic() - started < 5


def test_nothing_admitted_can_be_given_another_state(load):
    for inside_ in (b"c_codecs\nencode\n", b"cbuiltins\nobject\n", b"}"):
        with pytest.raises(UserError, match="a state for a"):
            load(inside_ + b"}V__defaults__\nI1\nsb.")


# ---- names ----


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a\0b", "a\nb", "..\\x", "", "x" * 300])
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
    with pytest.raises(UserError, match=r"list.txt names .*, expected the name of a file below"):
        inside(tmp_path, name, "list.txt")
    assert inside(tmp_path, "run/a b_image.png", "list.txt") == tmp_path / "run/a b_image.png"


@pytest.fixture
def root(tmp_path):
    """A prepared data set of the tiny body, as the data root of this process."""
    root = tmp_path / "deep/data"
    root.mkdir(parents=True)
    write_data(root, 3)
    before = config.data_root()
    config.set_data_root(root)
    up_3d.Up3D().make_split("train", 1)
    yield root
    config.set_data_root(before)


def change_table(**columns) -> Path:
    path = up_3d.Up3D().npz_file("train")
    np.savez(path, **(read_npz(path, "") | columns))
    return path


def test_a_list_does_not_name_files_outside_the_data_set(root):
    (config.UP_3D_ROOT / "trainval.txt").write_text("/../../../x/00000_image.png\n")
    with pytest.raises(UserError, match=r"trainval.txt names '../../../x/00000_image.png'"):
        up_3d.Up3D().make_split("train", 1)


def test_a_table_does_not_make_iuv_images_outside_the_data_set(root):
    before = {path for path in root.parent.parent.rglob("*") if path.parent != root / "up-3d/BF_IUV_gt"}
    name = "../../../00000_image.png"
    (root.parent / "00000_image.png").write_bytes((root / "up-3d/00000_image.png").read_bytes())
    table = change_table(imgname=np.array([name, "00001_image.png"]))
    with pytest.raises(UserError, match=r"up_3d_trainval.npz names 'BF_IUV_gt/../../../00000_image"):
        up_3d.Up3D().make_iuv(table, "BF", 1)
    after = {path for path in root.parent.parent.rglob("*") if path.parent != root / "up-3d/BF_IUV_gt"}
    assert after - before <= {root.parent / "00000_image.png", root / "up-3d/BF_IUV_gt"}


def test_a_video_list_does_not_name_files_outside_the_data_set(tmp_path):
    (tmp_path / "names.txt").write_text("x/val/../../../y.mp4\t1\n")
    (tmp_path / "valid.txt").write_text("[1]")
    with pytest.raises(UserError, match=r"names.txt names '../../../y.mp4'"):
        surreal.validation_videos(tmp_path / "names.txt", tmp_path / "valid.txt")


def test_a_run_s_name_stays_in_the_log_folder(tmp_path):
    (tmp_path / "options.json").write_text(json.dumps({"name": "../../elsewhere"}))
    with pytest.raises(UserError, match=r"--name is '../../elsewhere', expected the name of a folder in --log_dir"):
        TrainOptions().parse_args(["--from_json", str(tmp_path / "options.json")])


# ---- sizes ----


def test_a_picture_of_ten_billion_pixels_is_refused_by_its_header(root):
    image = root / "up-3d/00000_image.png"
    image.write_bytes(large_png(100_000, 100_000))
    expected = "00000_image.png is too large: 100000 x 100000 pixels. Make it smaller than 80 million pixels"
    started = time.monotonic()
    with pytest.raises(UserError, match=expected):
        image_files.read_image(image, "")
    (refused,) = read_photos([image])
    assert re.search(expected, str(refused))
    dataset = BaseDataset(TrainOptions().parse_args(["--img_res", "32"]), is_train=False)
    with pytest.raises(UserError, match=expected):
        dataset.item(0)
    summary = up_3d.Up3D().make_iuv(up_3d.Up3D().npz_file("train"), "BF", 1)
    assert list(summary.broken) == ["00000_image.png"]
    assert time.monotonic() - started < 10


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    path.write_bytes(bytes_of(np.savez_compressed, imgname=np.zeros(10**6)))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr("utils.array_files.arrays.available_memory", lambda: 2**20)
    with pytest.raises(UserError, match=r"bomb.npz cannot be read: it holds 0.0 GiB unpacked"):
        read_npz(path, "")


def test_annotations_of_an_unmarked_format_do_not_state_their_own_size(tmp_path):
    """A byte before the header makes it Matlab 4 to scipy, which takes the next four for a count."""
    path = tmp_path / "x_info.mat"
    path.write_bytes(b"\0" + mats()[0])
    with pytest.raises(UserError, match="x_info.mat cannot be read as a .mat file: it does not begin with 'MATLAB 5.0"):
        GUARD(tmp_path, surreal_files.read_info, path)


@pytest.mark.parametrize("index", ["1000000000", "99999999999999999999", "-1000000000"])
def test_an_obj_does_not_name_vertices_by_the_billion(index, tmp_path):
    path = tmp_path / "mesh.obj"
    path.write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 {index}\n")
    with pytest.raises(UserError, match="line 4"):
        read_obj(path)


# ---- tables and options ----


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("center", np.zeros((2, 3)), r"center of shape \(2, 3\)"),
        ("scale", np.array([1.0, np.nan]), "scale of nan in row 1"),
        ("scale", np.array([0.0, 1.0]), "scale of 0.0 in row 0"),
        ("pose", np.array(["a", "b"]), r"pose of shape \(2,\) and type <U1"),
        ("imgname", np.array([1, 2]), "imgname of '1' in row 0, expected text"),
        ("part", np.zeros((2, 14, 3)), r"part of shape \(2, 14, 3\)"),
    ],
)
def test_columns_have_the_shape_that_items_need(root, column, values, message):
    change_table(**{column: values})
    with pytest.raises(UserError, match=rf"up_3d_trainval.npz has {message}"):
        BaseDataset(TrainOptions().parse_args([]), is_train=False)


@pytest.mark.parametrize("content", ["[" * 5000, '{"img_res": "x"}', '{"img_res": 3200000000}', '{"uv_res": [128]}'])
def test_the_options_beside_a_checkpoint_are_checked_like_others(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    options = TrainOptions().parse_args([])
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        checkpoint.adopt_architecture(options, tmp_path / "dmr_1.ckpt", given=set())
