"""Read arrays from .npy and .npz files. The size that a file states is first compared with the bytes that it holds.

`map_members` maps what an .npz stores without compression, instead of reading it: processes share the pages, and memory
holds those that are in use. Its rule: no program may write into a file that is mapped, only put another in its place,
as utils.files does.
"""

import io
import math
import mmap
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from utils.memory import available_memory

VERSIONS = ((1, 0), (2, 0), (3, 0))
LOCAL_HEADER = struct.Struct("<26xHH")  # of a member of a zip archive: the lengths of its name and its extra field
BLOCK_BYTES = 2**23  # of a mapped array that are looked at at once


def read_array(stream, read_objects: Callable) -> np.ndarray:
    """Read the array of an open .npy file. For an array of objects, `read_objects` is called with the stream.

    ValueError, or any other error, where the file is damaged.
    """
    # from memory: Python reserves no more than the stream holds, whatever length the file states
    stream = io.BytesIO(stream.read())
    shape, order, dtype = _read_header(stream)
    if dtype.hasobject:  # numpy writes such an array as a pickle
        return read_objects(stream)
    # np.lib.format.read_array would reserve what the header states before it reads the content
    content = stream.read()
    size = _size(shape, dtype, len(content))
    return np.ndarray(shape, dtype, content[:size], order=order).copy(order="K")


def _read_header(stream) -> tuple[tuple, Literal["C", "F"], np.dtype]:
    """Shape, order ("C" or "F") and type that an open .npy file states; the stream is at its content afterwards."""
    version = np.lib.format.read_magic(stream)
    if version not in VERSIONS:
        raise ValueError(f"it is of version {version} of the format, expected one of {VERSIONS}")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file was written by Python 2
        shape, is_fortran, dtype = header(stream)
    return shape, "F" if is_fortran else "C", dtype


def _size(shape: tuple, dtype: np.dtype, held: int) -> int:
    """The bytes of an array; ValueError if the file, which holds `held`, is shorter."""
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or held < size:
        raise ValueError(f"it holds {held} bytes, expected {size} for an array of shape {shape}")
    return size


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


def map_members(stream, read_objects: Callable = refuse_objects, names=None) -> dict[str, np.ndarray]:
    """The arrays of an open .npz on the disk, by name: mapped, read-only, with their checksums compared.

    names: those that are wanted; None: all. Arrays that are compressed or hold objects are read; errors as read_array.
    """
    arrays, packed = {}, []
    with zipfile.ZipFile(stream) as archive:
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if names is not None and name not in names:
                continue
            array = _map_member(content, member) if member.compress_type == zipfile.ZIP_STORED else None
            if array is None:
                packed.append(member)
            else:
                arrays[name] = array
        release(arrays.values())
        size, free = sum(member.file_size for member in packed), available_memory()
        if 0 < free < size:
            raise ValueError(f"it holds {size / 2**30:.1f} GiB unpacked, {free / 2**30:.1f} GiB of memory are free")
        for member in packed:
            with archive.open(member) as opened:
                arrays[member.filename.removesuffix(".npy")] = read_array(opened, read_objects)
    return arrays


def _map_member(content: mmap.mmap, member: zipfile.ZipInfo) -> np.ndarray | None:
    """A member of an archive as an array of its bytes; None if it holds objects. ValueError for a wrong checksum."""
    name_length, extra_length = LOCAL_HEADER.unpack_from(content, member.header_offset)
    start = member.header_offset + LOCAL_HEADER.size + name_length + extra_length
    stop = start + member.file_size
    if stop > len(content):
        raise ValueError(f"{member.filename} reaches beyond the end of the file")
    head = io.BytesIO(content[start : min(stop, start + 2**16)])
    shape, order, dtype = _read_header(head)
    if dtype.hasobject:
        return None
    checksum, view = 0, memoryview(content)
    for place in range(start, stop, BLOCK_BYTES):
        checksum = zlib.crc32(view[place : min(place + BLOCK_BYTES, stop)], checksum)
        _release(content)
    if checksum != member.CRC:
        raise ValueError(f"Bad CRC-32 for file {member.filename!r}")
    _size(shape, dtype, stop - start - head.tell())
    return np.ndarray(shape, dtype, content, start + head.tell(), order=order)


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(number of its first row, rows) of parts of an array [N, ...]; a mapped array is released after each."""
    rows = max(1, BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
    for start in range(0, len(array), rows):
        yield start, array[start : start + rows]
        release([array])


def release(arrays) -> None:
    """Let go of the pages of mapped arrays: they are read again when they are used."""
    for array in arrays:
        while isinstance(array, np.ndarray):
            array = array.base
        if isinstance(array, mmap.mmap):
            _release(array)


def _release(content: mmap.mmap) -> None:
    content.madvise(mmap.MADV_DONTNEED)
