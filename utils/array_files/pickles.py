"""Read files of arrays (Python-2 and Python-3 pickles, .npy, .npz) without running any code that they contain.

SMPL body models and UP-3D's `_body.pkl` are pickles, and .npy files with arrays of objects contain pickles. A
pickle may call any function while it is read, so only the few names that arrays need are admitted here. The
published SMPL files are full of chumpy objects; stand-ins keep their state and return their value.
"""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from utils.array_files.arrays import read_array, read_members
from utils.array_files.pickle_parts import ADMITTED, STATEFUL, ChumpyFormula, resolve
from utils.errors import UserError

_PythonUnpickler: Any = pickle._Unpickler  # a private name, without types


class _ArrayUnpickler(_PythonUnpickler):
    """An unpickler that builds what utils.array_files.pickle_parts admits, and nothing else.

    Python has two unpicklers; this is the one written in Python. The one written in C reserves as much memory as a
    number in the file states (the index of a memo) before it checks how much the file holds.
    """

    dispatch = _PythonUnpickler.dispatch.copy()

    def find_class(self, module, name):
        try:
            return ADMITTED[module, name]
        except KeyError:
            if module.startswith("chumpy.") and name.isidentifier():
                return type(name, (ChumpyFormula,), {"name": f"{module}.{name}"})
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data files do not need") from None

    def load_build(self):
        state, built = self.stack.pop(), self.stack[-1]
        if not isinstance(built, STATEFUL):
            raise pickle.UnpicklingError(f"a state for a {type(built).__name__}")
        built.__setstate__(state)

    def load_bytearray8(self):
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def load_pickle(path) -> dict:
    """Read a pickled dict of arrays (text keys; Python-2 strings are read as latin1).

    Raises:
        UserError: the file is missing, is not such a pickle, or asks for anything but arrays.
    """
    content = _read(path, "a pickle of arrays", _unpickle)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected a dict of arrays.")
    return content


def load_npy(path) -> np.ndarray:
    """Read a .npy file, arrays of objects included; raises as load_pickle."""
    return _read(path, "a .npy file of numbers", _read_array)


def load_arrays(path) -> dict:
    """Read a dict of arrays from an .npz or a pickle, whatever the file is called; raises as load_pickle.

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
        raise UserError(f"{path} cannot be read as {kind}: {str(error) or type(error).__name__}.") from error


def _unpickle(stream):
    # from memory: Python reserves no more than the file holds, whatever length it states
    return resolve(_ArrayUnpickler(io.BytesIO(stream.read()), encoding="latin1").load())


def _read_zip(stream) -> dict:
    arrays = read_members(stream, unpickle_array)
    is_single = {name: array.dtype.hasobject and array.shape == () for name, array in arrays.items()}
    return {name: resolve(array.item()) if is_single[name] else array for name, array in arrays.items()}


def _read_array(stream) -> np.ndarray:
    return read_array(stream, unpickle_array)


def unpickle_array(stream) -> np.ndarray:
    """The array of objects that an open .npy or .npz holds as a pickle; raises any error where it holds none."""
    array = _unpickle(stream)
    if not isinstance(array, np.ndarray):
        raise pickle.UnpicklingError(f"a {type(array).__name__}, expected an array")
    return array


def as_floats(path, name: str, values) -> np.ndarray:
    """`values` of a file as float64; UserError where they are no numbers."""
    try:
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} has {name} that are not numbers: {error}.") from error
