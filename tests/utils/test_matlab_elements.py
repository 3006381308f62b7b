"""Files of Matlab that state more than they hold are refused before memory is asked for; whole ones are read."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from utils.array_files.matlab_elements import check_elements

CONTENT = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "bytes": np.array([[1, 2, 3]], np.uint8),
    "nothing": np.zeros((0, 3)),
    "text": "abc",
    "complex": np.array([1 + 2j]),
    "structure": {"x": 1, "y": {"z": np.zeros(3)}, "w": "text"},
    "cells": np.array([np.arange(3), np.zeros((2, 2)), "hello"], dtype=object),
    "sparse": scipy.sparse.csc_matrix(np.eye(4)),
}


def write(content: dict, compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, content, do_compression=compressed)
    return stream.getvalue()


def can_be_read(path: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scipy.io.loadmat(path)
    except Exception:  # SciPy raises many types; some of these files are damaged on purpose
        return False
    return True


@pytest.mark.parametrize("compressed", [False, True])
def test_whole_files_pass_and_every_cut_is_refused(compressed):
    boundaries = {len(write(dict(list(CONTENT.items())[:count]), compressed)) for count in range(len(CONTENT) + 1)}
    file = write(CONTENT, compressed)
    check_elements(file)
    for length in range(len(file)):
        if length in boundaries:
            check_elements(file[:length])  # a shorter file, but a whole one
        else:
            with pytest.raises((ValueError, zlib.error)):
                check_elements(file[:length])


def test_files_that_matlab_wrote_pass_if_scipy_reads_them():
    """SciPy ships the files of its own tests, which Matlab of many versions and machines wrote."""
    folder = Path(scipy.io.matlab.__file__).parent / "tests/data"
    files = [path for path in sorted(folder.glob("*.mat")) if path.read_bytes().startswith(b"MATLAB 5.0")]
    readable = [path for path in files if can_be_read(path)]
    assert len(readable) > 50
    for path in readable:
        check_elements(path.read_bytes())


def test_an_element_that_states_four_gigabytes_is_refused():
    file = bytearray(write({"x": np.arange(100.0)}))
    place = file.rindex(struct.pack("<I", 800))  # the bytes of the numbers
    file[place : place + 4] = struct.pack("<I", 2**32 - 1)
    with pytest.raises(ValueError, match="states 4294967295 bytes, more than there are"):
        check_elements(bytes(file))


def test_cells_without_end_are_refused():
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0] = cells[0, 1] = np.zeros(1)
    file = bytearray(write({"x": cells}))
    place = file.index(struct.pack("<ii", 1, 2))
    file[place : place + 8] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    with pytest.raises(ValueError, match="states 2147483647 x 2147483647 members"):
        check_elements(bytes(file))


def test_a_header_of_neither_byte_order_is_refused():
    file = bytearray(write({"x": 1}))
    file[126:128] = b"XX"
    with pytest.raises(ValueError, match="header is damaged"):
        check_elements(bytes(file))
