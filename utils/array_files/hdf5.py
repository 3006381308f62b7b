"""Read arrays from HDF5 files, with the package h5py."""

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
    h5py = import_package("h5py", what)
    require_file(path, advice)
    try:
        with h5py.File(path, "r") as file:
            found = {name: file.get(name) for name in names}
            missing = [name for name in names if not isinstance(found[name], h5py.Dataset)]
            if missing:
                raise UserError(f"{path} has no {', '.join(missing)}. {advice}")
            large = [name for name, dataset in found.items() if dataset.size > LARGEST]
            if large:
                raise ValueError(f"{large[0]} has shape {found[large[0]].shape}")
            return {name: np.asarray(dataset) for name, dataset in found.items()}
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise any exception type
        raise UserError(f"{path} cannot be read as an HDF5 file: {str(error) or 'damaged'}. {advice}") from error
