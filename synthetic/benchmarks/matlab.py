"""Write files of MATLAB's version 7.3, which are HDF5 with axes in the opposite order, as MATLAB writes them."""

from pathlib import Path

import numpy as np

from utils.files import atomic_path
from utils.optional_packages import import_package

USERBLOCK = 512  # bytes in front of the HDF5 file
HEADER = b"MATLAB 7.3 MAT-file, made by python -m synthetic.generate".ljust(124) + b"\x00\x02IM"


def write_mat(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays, of the shapes that MATLAB shows."""
    _write(path, arrays, {})


def write_mat_of_cells(path: Path, cells: dict[str, list[np.ndarray]]) -> None:
    """Write cell arrays of one row, such as the masks of frames."""
    _write(path, {}, cells)


def _write(path: Path, arrays: dict[str, np.ndarray], cells: dict[str, list[np.ndarray]]) -> None:
    h5py = import_package("h5py", str(path))
    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=USERBLOCK) as file:
            for name, array in arrays.items():
                file[name] = array.T
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
            for name, items in cells.items():
                stored = [
                    file.create_dataset(f"#refs#/{name}{number}", data=item.T, compression="gzip")
                    for number, item in enumerate(items)
                ]
                references = np.array([[dataset.ref] for dataset in stored], h5py.ref_dtype)
                file.create_dataset(name, data=references)
                file[name].attrs["MATLAB_class"] = np.bytes_("cell")
        with open(temporary, "r+b") as stream:
            stream.write(HEADER)
