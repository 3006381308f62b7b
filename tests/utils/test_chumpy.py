"""What chumpy wrote is read without chumpy: body models and arrays, against the values that it computes itself.

The files are written by the package, version 0.70, as Python 2 and Python 3 pickle; tests/files/write_chumpy.py says
how, and makes them again.
"""

import gzip

import numpy as np
import pytest
import scipy.sparse

from tests.conftest import REPOSITORY
from utils.array_files.pickles import load_pickle
from utils.body_model import load_body_model
from utils.errors import UserError

FILES = REPOSITORY / "tests/files"
VALUES = dict(np.load(FILES / "chumpy_values.npz"))
COMPUTATIONS = {
    "J": "reordering.transpose",
    "Reshape": "reordering.Reshape",
    "transpose": "reordering.transpose",
    "Concatenate": "reordering.Concatenate",
    "MatVecMult": "ch.MatVecMult",
    "dot": "ch_ops.dot",
    "multiply": "ch_ops.multiply",
    "add": "ch_ops.add",
    "sum": "ch_ops.sum",
    "Inv": "linalg.Inv",
    "selection of a computation": "ch.MatVecMult",
    "array of a computation": "ch.MatVecMult",
}


@pytest.fixture(params=["python2_0", "python2_2", "python3_0", "python3_2"])
def path(request, tmp_path):
    path = tmp_path / "body.pkl"
    path.write_bytes(gzip.decompress((FILES / f"chumpy_{request.param}.pkl.gz").read_bytes()))
    return path


def test_arrays_and_selections_have_the_values_that_chumpy_gives_them(path):
    content = load_pickle(path)
    plain = VALUES.keys() - COMPUTATIONS.keys()
    assert {"shapedirs", "one number", "selection by truth", "array of an array"} <= plain
    for name in plain:
        assert isinstance(content[name], np.ndarray) and content[name].dtype == np.float64, name
        np.testing.assert_array_equal(content[name], VALUES[name], err_msg=name)


def test_a_computation_is_an_error_only_for_who_asks_for_it_and_is_named(path):
    content = load_pickle(path)
    for name, kind in COMPUTATIONS.items():
        with pytest.raises(UserError, match=rf"given as chumpy\.{kind}, a chumpy computation"):
            np.asarray(content[name])


def test_a_body_model_of_chumpy_arrays_is_the_model_of_their_values(path):
    model = load_body_model(path)
    for name in ("v_template", "shapedirs", "posedirs", "weights"):
        np.testing.assert_array_equal(getattr(model, name), VALUES[name])
    assert model.shapedirs.shape == (2, 3, 10)
    np.testing.assert_array_equal(model.joint_regressor, np.full((24, 2), 0.5))
    assert model.faces.tolist() == [[0, 1, 1]] and model.parents.tolist() == [-1, *range(23)]
    assert scipy.sparse.issparse(load_pickle(path)["J_regressor_prior"])


def test_a_body_model_that_needs_a_computation_is_refused(path, monkeypatch):
    content = load_pickle(path)
    monkeypatch.setattr("utils.body_model.load_arrays", lambda _: content | {"weights": content["multiply"]})
    with pytest.raises(UserError, match=r"chumpy\.ch_ops\.multiply, a chumpy computation"):
        load_body_model(path)
