"""Read arrays from .npy and .npz files. The size that a file states is first compared with the bytes that it holds."""

import io
import math
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

from utils.memory import available_memory

VERSIONS = ((1, 0), (2, 0), (3, 0))


def read_array(stream, read_objects: Callable) -> np.ndarray:
    """Read the array of an open .npy file. For an array of objects, `read_objects` is called with the stream.

    ValueError, or any other error, where the file is damaged.
    """
    # from memory: Python reserves no more than the stream holds, whatever length the file states
    stream = io.BytesIO(stream.read())
    version = np.lib.format.read_magic(stream)
    if version not in VERSIONS:
        raise ValueError(f"it is of version {version} of the format, expected one of {VERSIONS}")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file was written by Python 2
        shape, is_fortran, dtype = header(stream)
    if dtype.hasobject:  # numpy writes such an array as a pickle
        return read_objects(stream)
    # np.lib.format.read_array would reserve what the header states before it reads the content
    count, content = math.prod(shape), stream.read()
    size = count * dtype.itemsize
    if min(shape, default=0) < 0 or len(content) < size:
        raise ValueError(f"it holds {len(content)} bytes, expected {size} for an array of shape {shape}")
    return np.ndarray(shape, dtype, content[:size], order="F" if is_fortran else "C").copy(order="K")


def refuse_objects(_stream):
    """Raise ValueError. It is the reader of arrays of objects for files that must hold none."""
    raise ValueError("it holds an array of Python objects, expected numbers or text")


def read_members(stream, read_objects: Callable = refuse_objects, objects=None) -> dict[str, np.ndarray]:
    """Read the arrays of an open .npz, by name; errors as read_array.

    objects: names under which arrays of objects are read; under other names they are left out. None: any name.
    """
    arrays = {}
    with zipfile.ZipFile(stream) as archive:
        size, free = sum(member.file_size for member in archive.infolist()), available_memory()
        if 0 < free < size:
            raise ValueError(f"it holds {size / 2**30:.1f} GiB unpacked, {free / 2**30:.1f} GiB of memory are free")
        for member_name in archive.namelist():
            name = member_name.removesuffix(".npy")
            is_asked_for = objects is None or name in objects
            with archive.open(member_name) as member:
                array = read_array(member, read_objects if is_asked_for else lambda _: None)
            if array is not None:
                arrays[name] = array
    return arrays
