"""Read arrays from HDF5 files, with the package h5py."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import require_file
from utils.optional_packages import import_package

LARGEST = 10**8  # elements; a hostile file can state any size for an array that it does not hold


def read_hdf5(path: Path, names: tuple[str, ...], what: str, advice: str) -> dict[str, np.ndarray]:
    """The arrays `names` of an HDF5 file; text is of bytes. what: what needs the package, for the error without it.

    UserError, ending with `advice`, if the file is missing or damaged, or lacks an array.
    """
    with open_hdf5(path, what, advice) as file:
        missing = [name for name in names if not hasattr(file.get(name), "dtype")]
        if missing:
            raise UserError(f"{path} has no {', '.join(missing)}. {advice}")
        return {name: array_of(file[name]) for name in names}


@contextlib.contextmanager
def open_hdf5(path: Path, what: str, advice: str) -> Iterator:
    """Yield the open h5py.File. Errors of h5py in the block become a UserError as those of read_hdf5."""
    h5py = import_package("h5py", what)
    require_file(path, advice)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise any exception type
        raise UserError(f"{path} cannot be read as an HDF5 file: {str(error) or 'damaged'}. {advice}") from error


def array_of(dataset) -> np.ndarray:
    """The array [...] of a dataset of an open file; ValueError if it states too many elements."""
    if dataset.size > LARGEST:
        raise ValueError(f"{dataset.name} has shape {dataset.shape}")
    return np.asarray(dataset)
