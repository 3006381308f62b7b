"""Reading files of arrays (Python-2 and Python-3 pickles, .npy, .npz) without running what they contain.

SMPL body models and UP-3D's `_body.pkl` are pickles, and arrays of objects in .npy files hold some. A
pickle may name any function to be called while it is read, so only the few names that arrays need are
admitted here. chumpy, whose objects fill the published SMPL files, is replaced by stand-ins that keep the
state and hand out its value.
"""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from utils.errors import UserError


class _Chumpy:
    """Stand-in of chumpy.ch.Ch: an array, kept under the state key `x`."""

    def __init__(self, *_):
        self.state = {}

    def __setstate__(self, state):
        self.state = state

    def value(self) -> "np.ndarray | _ChumpyFormula":
        return np.asarray(_resolve(self.state["x"]))


class _ChumpySelect(_Chumpy):
    """Stand-in of chumpy.reordering.Select: elements `idxs` of the array `a`."""

    def value(self) -> np.ndarray:
        elements = np.asarray(_resolve(self.state["a"])).ravel()[np.asarray(self.state["idxs"])]
        shape = self.state.get("preferred_shape")
        return elements if shape is None else elements.reshape(shape)


class _ChumpyFormula(_Chumpy):
    """Stand-in of any other chumpy class: a computation whose result is not in the file.

    It may stand in a place that nobody asks for; only the attempt to use it as an array is an error.
    """

    name = "chumpy"  # the class that it stands for

    def value(self) -> "_ChumpyFormula":
        return self

    def __array__(self, *_, **__):
        raise UserError(f"an array is given as {self.name}, a chumpy computation. Save its value (.r) instead.")


def _decode_bytes(text, encoding="latin1"):
    """Python 3 writes bytes in protocol 2 as a call of codecs.encode on text."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


def _empty_bytes():
    """Python 3 writes empty bytes in protocol 2 as a call of bytes without arguments."""
    return b""


def _new_object(cls, base=object, state=None):
    """copyreg._reconstructor, for the stand-ins and sparse matrices only."""
    return cls.__new__(cls)


# Any: their private names have no types
_MULTIARRAY: Any = np.core.multiarray
_NUMERIC: Any = np.core.numeric
_ADMITTED: dict[tuple[str, str], Callable] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _decode_bytes,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
    ("copy_reg", "_reconstructor"): _new_object,
    ("copyreg", "_reconstructor"): _new_object,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _ChumpySelect,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ADMITTED[_module, "_reconstruct"] = _MULTIARRAY._reconstruct
    _ADMITTED[_module, "scalar"] = _MULTIARRAY.scalar
for _module in ("numpy.core.numeric", "numpy._core.numeric"):
    _ADMITTED[_module, "_frombuffer"] = _NUMERIC._frombuffer  # arrays in protocol 5
for _kind in ("csc", "csr", "coo"):
    for _module in (f"scipy.sparse.{_kind}", f"scipy.sparse._{_kind}"):
        _ADMITTED[_module, f"{_kind}_matrix"] = getattr(scipy.sparse, f"{_kind}_matrix")


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ADMITTED[module, name]
        except KeyError:
            if module.startswith("chumpy.") and name.isidentifier():
                return type(name, (_ChumpyFormula,), {"name": f"{module}.{name}"})
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data files do not need") from None


def _resolve(value):
    """Replace chumpy stand-ins by their arrays, in dicts too."""
    if isinstance(value, _Chumpy):
        return value.value()
    if isinstance(value, dict):
        return {key: _resolve(item) for key, item in value.items()}
    return value


def load_pickle(path) -> dict:
    """Read a pickled dict of arrays (text keys; Python-2 strings are read as latin1).

    Raises:
        UserError: the file is missing, is no such pickle, or asks for anything but arrays.
    """
    content = _read(path, "a pickle of arrays", _unpickle)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected a dict of arrays.")
    return content


def load_npy(path) -> np.ndarray:
    """The array [...] of a .npy file, also one of objects; raises as load_pickle."""
    return _read(path, "a .npy file of numbers", _read_array)


def load_arrays(path) -> dict:
    """Read a dict of arrays from an .npz or, whatever the file is called, a pickle; raises as load_pickle.

    An array of one object, which is how numpy stores a sparse matrix, becomes that object.
    """
    return _read(path, "an .npz of arrays", _read_zip) if zipfile.is_zipfile(path) else load_pickle(path)


def _read(path, kind: str, reader):
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            return reader(stream)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist.") from None
    except Exception as error:  # a damaged file can raise any exception type
        raise UserError(f"{path} cannot be read as {kind}: {error}.") from error


def _unpickle(stream):
    return _resolve(_ArrayUnpickler(stream, encoding="latin1").load())


def _read_zip(stream) -> dict:
    content = {}
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                array = _read_array(member)
            single = array.dtype.hasobject and array.shape == ()
            content[name.removesuffix(".npy")] = _resolve(array.item()) if single else array
    return content


def _read_array(stream) -> np.ndarray:
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    if header(stream)[2].hasobject:  # numpy writes such an array as a pickle
        return _unpickle(stream)
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)
