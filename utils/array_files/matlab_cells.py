"""Read arrays of MATLAB's files: version 5 (scipy), and version 7.3, which is HDF5 (h5py).

MATLAB counts axes from the other end than HDF5; arrays come out of this file in MATLAB's order, whatever the version.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.io

from utils.errors import UserError
from utils.files import require_file
from utils.optional_packages import import_package

HEADER_5 = b"MATLAB 5.0 MAT-file"
HDF5_MARK = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512)  # MATLAB puts 512 bytes of its own in front
LARGEST = 10**8  # elements of one array; a damaged file can state any size


def load_mat(path: Path, names: tuple[str, ...], advice: str) -> dict[str, np.ndarray]:
    """The variables `names` of a .mat; cells are arrays of objects. UserError, with `advice`, if one is missing.

    UserError also where the file is missing or damaged, or where h5py is needed and not installed.
    """
    with open(require_file(path, advice), "rb") as stream:
        head = stream.read(len(HEADER_5))
        if head == HEADER_5:
            stream.seek(0)
            content = _load_version_5(path, stream.read(), names, advice)
        else:
            content = _load_version_7(path, names, advice)
    missing = [name for name in names if name not in content]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}. {advice}")
    return content


def _load_version_5(path: Path, file: bytes, names: tuple[str, ...], advice: str) -> dict[str, np.ndarray]:
    try:
        content = scipy.io.loadmat(io.BytesIO(file), variable_names=list(names))
    except Exception as error:  # scipy's reader raises many types on damaged files
        raise _unreadable(path, error, advice) from error
    return {name: content[name] for name in names if name in content}


def _load_version_7(path: Path, names: tuple[str, ...], advice: str) -> dict[str, np.ndarray]:
    with open_hdf5(path, advice) as file:
        return {name: matlab_array(file, file[name]) for name in names if name in file}


@contextlib.contextmanager
def open_hdf5(path: Path, advice: str) -> Iterator:
    """Yield the open h5py.File of a .mat of version 7.3; errors of h5py in the block become a UserError."""
    h5py = import_package("h5py", str(path))
    with open(require_file(path, advice), "rb") as stream:
        head = stream.read(HDF5_PLACES[-1] + len(HDF5_MARK))
    if not any(head[place:].startswith(HDF5_MARK) for place in HDF5_PLACES):
        raise _unreadable(path, "it is no .mat of version 5 or 7.3", advice)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except Exception as error:  # h5py raises many types on damaged files
        raise _unreadable(path, error, advice) from error


def matlab_array(file, node) -> np.ndarray:
    """An array of an open .mat of version 7.3 in MATLAB's axis order; a cell becomes an array of objects."""
    if not hasattr(node, "dtype"):
        raise ValueError(f"{node.name} is no array")
    if node.size > LARGEST:
        raise ValueError(f"{node.name} states {node.size} elements")
    values = np.asarray(node[()])
    if not values.dtype.hasobject:
        return values.T
    cells = np.empty(values.shape, object)
    for place, reference in np.ndenumerate(values):
        cells[place] = matlab_array(file, file[reference])
    return cells.T


def _unreadable(path: Path, reason, advice: str) -> UserError:
    return UserError(f"{path} cannot be read as a .mat file: {str(reason) or type(reason).__name__}. {advice}")
