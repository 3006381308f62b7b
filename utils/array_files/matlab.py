"""Read numbers from Matlab's files: those of version 5, and those of version 7.3, which are HDF5."""

import io
from pathlib import Path

import numpy as np
import scipy.io

from utils.array_files.hdf5 import array_of, open_hdf5, read_hdf5
from utils.array_files.matlab_elements import check_elements
from utils.array_files.pickles import as_floats
from utils.errors import UserError
from utils.files import require_file

VERSION_5, VERSION_7 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"


def read_mat(path: Path, names: tuple[str, ...], advice: str) -> dict[str, np.ndarray]:
    """The variables `names` of a .mat file, float64 of the shapes that Matlab shows.

    UserError, ending with `advice`, if the file is missing or damaged, or lacks a variable.
    """
    file = require_file(path, advice).read_bytes()
    if file.startswith(VERSION_7):
        stored = read_hdf5(path, names, _file_of(path), advice)
        content = {name: array.T for name, array in stored.items()}  # HDF5 has the axes in the opposite order
    else:
        content = _read_version_5(path, file, names, advice)
    cells = [name for name in names if np.asarray(content[name]).dtype.hasobject]
    if cells:
        raise UserError(f"{path} has {cells[0]} that are not numbers, but cells or structures. {advice}")
    return {name: as_floats(path, name, content[name]) for name in names}


def read_cells(path: Path, name: str, advice: str) -> list[np.ndarray]:
    """The arrays of the cell array `name` of a .mat file, one after the other; otherwise as read_mat."""
    file = require_file(path, advice).read_bytes()
    if file.startswith(VERSION_7):
        with open_hdf5(path, _file_of(path), advice) as opened:
            places = array_of(opened[name]) if name in opened else np.zeros(0)
            cells = [array_of(opened[place]).T for place in places.ravel()] if places.dtype.hasobject else []
    else:
        stored = _read_version_5(path, file, (name,), advice)[name]
        cells = list(stored.ravel(order="F")) if stored.dtype.hasobject else []
    if not cells:
        raise UserError(f"{path} has no {name}, a cell array. {advice}")
    return [as_floats(path, name, cell) for cell in cells]


def _file_of(path: Path) -> str:
    return f"{path}, a file of Matlab 7.3,"


def _read_version_5(path: Path, file: bytes, names: tuple[str, ...], advice: str) -> dict:
    try:
        if not file.startswith(VERSION_5):  # older formats have no such mark, and scipy would read any bytes as sizes
            raise ValueError(f"it does not begin with {VERSION_5.decode()!r}")
        check_elements(file)
        content = scipy.io.loadmat(io.BytesIO(file), variable_names=names)
    except Exception as error:  # scipy's reader raises many types on damaged files
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read as a .mat file: {reason}. {advice}") from error
    missing = [name for name in names if name not in content]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}. {advice}")
    return content
