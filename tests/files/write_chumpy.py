"""Write chumpy_*.pkl.gz and chumpy_values.npz with the real package chumpy 0.70, which needs an old numpy:

    uv venv --python 3.11 VENV
    uv pip install --python VENV/bin/python numpy==1.23.5 scipy==1.10.1 six 'setuptools<70' wheel pip
    uv pip install --python VENV/bin/python --no-build-isolation chumpy==0.70
    VENV/bin/python tests/files/write_chumpy.py

A body of two vertices as SMPL's files v1.0.0 and v1.1.0 hold theirs, and other chumpy objects beside it; `values`
are what chumpy itself computes of each (.r). The files python2_* have the opcodes and module names of Python 2.
"""

import gzip
import inspect
import io
import pickle
import struct
from pathlib import Path

inspect.getargspec = inspect.getfullargspec  # chumpy asks for the name that Python 3.11 took away

import chumpy as ch  # noqa: E402
import numpy as np  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from chumpy.ch import MatVecMult  # noqa: E402

FOLDER = Path(__file__).parent


class Python2Pickler(pickle._Pickler):
    """Text and bytes are one type, as Python 2 writes them; scipy's modules have the names of that time."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_text(self, text):
        content = text.encode("latin1") if isinstance(text, str) else text
        if not self.bin:
            self.write(b"S" + repr(content)[1:].encode("ascii") + b"\n")
        elif len(content) < 256:
            self.write(b"U" + bytes([len(content)]) + content)
        else:
            self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_text


def python_2(content: dict, protocol: int) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol).dump(content)
    return stream.getvalue().replace(b"scipy.sparse._csc", b"scipy.sparse.csc")


def body() -> dict:
    rng = np.random.default_rng(0)

    def numbers(*shape) -> np.ndarray:
        return rng.integers(-40, 40, shape) / 32

    directions = ch.array(numbers(2, 3, 12))  # of the 300 that were learned
    regressor, template = sp.csc_matrix(np.ones((24, 2)) / 2), ch.array(numbers(2, 3))
    joints = ch.vstack([MatVecMult(regressor, template[:, axis]) for axis in range(3)]).T
    return {
        "v_template": template,
        "shapedirs": directions[:, :, :10],
        "posedirs": ch.array(numbers(2, 3, 207)),
        "weights": ch.array(np.ones((2, 24)) / 24),
        "J": joints,
        "J_regressor": regressor,
        "J_regressor_prior": regressor,
        "f": np.array([[0, 1, 1]], np.uint32),
        "kintree_table": np.array([[4294967295, *range(23)], range(24)], np.int64),
        "weights_prior": np.ones((2, 24)),
        "vert_sym_idxs": np.array([1, 0]),
        "pose_training_info": {"gender": "f"},
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "pose": ch.zeros(72),
        "betas": ch.zeros(10),
        "trans": ch.zeros(3),
    }


def others() -> dict:
    array = ch.array(np.arange(12.0).reshape(3, 4))
    column = MatVecMult(np.eye(3), array[:, 0])
    return {
        "whole numbers": ch.Ch(x=np.arange(3)),
        "one number": ch.Ch(3),
        "array of an array": ch.Ch(x=array),
        "selection of a selection": array[:, :3][1:, ::-1],
        "selection by truth": array[np.eye(3, 4) > 0],
        "new axis": array[:, None],
        "Reshape": array.reshape((4, 3)),
        "transpose": array.T,
        "Concatenate": ch.vstack((array, array)),
        "MatVecMult": column,
        "dot": array.dot(array.T),
        "multiply": array * array,
        "add": array + 1,
        "sum": array.sum(axis=0),
        "Inv": ch.linalg.inv(array[:2, 1:3]),
        "selection of a computation": column[:2],
        "array of a computation": ch.Ch(x=column),
    }


def main():
    content = body() | others()
    values = {name: value.r for name, value in content.items() if isinstance(value, ch.Ch)}
    np.savez_compressed(FOLDER / "chumpy_values.npz", **values)
    for protocol in (0, 2):
        written = {"python3": pickle.dumps(content, protocol), "python2": python_2(content, protocol)}
        for name, text in written.items():
            packed = gzip.compress(text, mtime=0)
            (FOLDER / f"chumpy_{name}_{protocol}.pkl.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
