"""Pickles of arrays are read whoever wrote them, and nothing that they contain is run."""

import os
import pickle

import numpy as np
import pytest
import scipy.sparse

from utils.array_files.pickles import load_arrays, load_npy, load_pickle
from utils.errors import UserError

ARRAY = np.array([[1.5, -2.0, 3.25], [1e-300, 255.0, np.pi]])


@pytest.fixture
def read_back(tmp_path):
    """Pickle -> what load_pickle makes of it."""

    def read(content, protocol=2):
        path = tmp_path / "content.pkl"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
        return load_pickle(path)

    return read


class Hostile:
    """Unpickled by the standard module it would call `function(*arguments)`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_gives_the_same_arrays(read_back, protocol):
    found = read_back({"pose": ARRAY, "f": np.float64(1000), "faces": np.arange(3, dtype=np.uint32)}, protocol)
    np.testing.assert_array_equal(found["pose"], ARRAY)
    assert found["f"] == 1000
    assert found["faces"].dtype == np.uint32


def test_a_python_2_pickle_is_read_byte_for_byte(read_back):
    """Written out by hand, as Python 2 with numpy 1 pickles {'pose': array} in protocol 0."""
    text = repr(ARRAY.tobytes())[1:]
    content = (
        "(dS'pose'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nI3\nt"
        "cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        f"S{text}\ntbs."
    )
    np.testing.assert_array_equal(read_back(content.encode("ascii"))["pose"], ARRAY)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_sets_of_text_are_read_and_others_refused(read_back, protocol):
    assert read_back({"names": {"x", "y"}}, protocol)["names"] == {"x", "y"}
    with pytest.raises(UserError, match="a set of other things than text and numbers"):
        read_back({"names": {("x", "y")}}, protocol if protocol < 4 else 2)


def test_arrays_of_objects_are_read(read_back):
    found = read_back({"betas": np.array([0.5, 1.5], dtype=object)})
    assert found["betas"].astype(float).tolist() == [0.5, 1.5]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_empty_array_is_an_array(read_back, protocol):
    assert read_back({"t": np.zeros((0, 3))}, protocol)["t"].shape == (0, 3)


@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_sparse_matrices_are_read(read_back, kind, protocol):
    matrix = scipy.sparse.random(24, 50, 0.1, kind, random_state=0)
    found = read_back({"J_regressor": matrix}, protocol)["J_regressor"]
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())
    array = scipy.sparse.coo_array(matrix).asformat(kind)
    np.testing.assert_array_equal(read_back({"J": array}, protocol)["J"].toarray(), matrix.toarray())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_a_command_is_refused_by_the_name_of_what_it_asks_for(read_back, tmp_path, protocol):
    witness = tmp_path / "it_ran"
    attack = {"pose": Hostile(os.system, f"touch {witness}")}
    with pytest.raises(UserError, match=r"asks for (posix|nt)\.system, which data files do not need"):
        read_back(attack, protocol)
    assert not witness.exists()
    pickle.loads(pickle.dumps(attack))
    assert witness.exists()  # the attack does work where nobody refuses


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (eval, ("1",), "eval"),
        (getattr, (ARRAY, "tofile"), "getattr"),
        (np.load, ("x.npy",), "load"),
        (np.ndarray.tofile, (ARRAY, "x"), "getattr"),
        (scipy.sparse.load_npz, ("x.npz",), "load_npz"),
    ],
)
def test_functions_of_admitted_modules_are_refused_too(read_back, function, arguments, name):
    with pytest.raises(UserError, match=rf"asks for [\w.]+\.{name}"):
        read_back({"pose": Hostile(function, *arguments)})


def test_dotted_names_do_not_reach_into_admitted_classes(read_back):
    with pytest.raises(UserError, match=r"asks for numpy\.ndarray\.tofile"):
        read_back(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a pickle", "cannot be read as a pickle of arrays"),
        (b"", "cannot be read as a pickle of arrays"),
        (pickle.dumps({"pose": ARRAY}, 2)[:-20], "cannot be read as a pickle of arrays"),
        (pickle.dumps([1, 2], 2), "holds a list, expected a dict of arrays"),
    ],
)
def test_what_is_no_pickle_of_arrays_is_named(read_back, content, message):
    with pytest.raises(UserError, match=rf"content.pkl {message}"):
        read_back(content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none.pkl does not exist"):
        load_pickle(tmp_path / "none.pkl")


# ---- .npy and .npz ----


@pytest.fixture
def archive(tmp_path):
    """Arrays -> an .npz of them; objects are stored as numpy stores them, pickled in an array."""

    def write(**arrays):
        np.savez(tmp_path / "content.npz", **arrays)
        return tmp_path / "content.npz"

    return write


def test_an_npz_gives_its_arrays_and_sparse_matrices(archive):
    matrix = scipy.sparse.random(24, 50, 0.1, "csc", random_state=0)
    found = load_arrays(archive(pose=ARRAY, faces=np.arange(3, dtype=np.uint32), J_regressor=matrix, style="lbs"))
    np.testing.assert_array_equal(found["pose"], ARRAY)
    assert found["faces"].dtype == np.uint32 and found["style"] == "lbs"
    np.testing.assert_array_equal(found["J_regressor"].toarray(), matrix.toarray())


def test_objects_in_an_npz_or_npy_are_read_under_the_same_rule(archive, tmp_path):
    witness = tmp_path / "it_ran"
    attack = np.array([Hostile(os.system, f"touch {witness}")], dtype=object)
    np.save(tmp_path / "content.npy", attack)
    for load, path in ((load_arrays, archive(pose=ARRAY, J_regressor=attack)), (load_npy, tmp_path / "content.npy")):
        with pytest.raises(UserError, match=r"content.np. cannot be read as .* asks for (posix|nt)\.system"):
            load(path)
    assert not witness.exists()
    np.save(tmp_path / "content.npy", ARRAY.astype(object))
    np.testing.assert_array_equal(load_npy(tmp_path / "content.npy").astype(float), ARRAY)


def test_an_array_of_python_2_is_read_without_a_word(tmp_path, recwarn):
    """Its header has long integers, such as 2L."""
    np.save(tmp_path / "content.npy", ARRAY)
    written = (tmp_path / "content.npy").read_bytes()
    (tmp_path / "content.npy").write_bytes(written.replace(b"(2, 3), }  ", b"(2L, 3L), }"))
    np.testing.assert_array_equal(load_npy(tmp_path / "content.npy"), ARRAY)
    assert b"2L" in (tmp_path / "content.npy").read_bytes() and not recwarn


def test_the_content_and_not_the_name_says_whether_a_file_is_a_pickle(archive, tmp_path):
    path = archive(pose=ARRAY).rename(tmp_path / "model.pkl")
    np.testing.assert_array_equal(load_arrays(path)["pose"], ARRAY)
    (tmp_path / "model.npz").write_bytes(pickle.dumps({"pose": ARRAY}, 2))
    np.testing.assert_array_equal(load_arrays(tmp_path / "model.npz")["pose"], ARRAY)


def test_damaged_archives_are_named(archive, tmp_path):
    path = archive(pose=np.zeros(1000))
    content = bytearray(path.read_bytes())
    content[400:500] = b"x" * 100
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"content.npz cannot be read as an .npz of arrays"):
        load_arrays(path)
    (tmp_path / "junk.npy").write_bytes(b"not an array")
    with pytest.raises(UserError, match="junk.npy cannot be read as a .npy file of numbers"):
        load_npy(tmp_path / "junk.npy")
