"""Check that the elements of a Matlab file of version 5 are as long as they say, before SciPy asks for memory for them.

The format is that of MathWorks' "MAT-File Format": a header of 128 bytes, then elements. An element is a tag (its type
and its number of bytes) and data, filled up to a multiple of 8 bytes. A matrix is an element whose data are elements:
flags, dimensions, name, and what its class needs. A compressed element, of the file alone, is a matrix behind zlib.
"""

import math
import struct
import zlib

HEADER = 128
ENDIANS = {b"IM": "<", b"MI": ">"}
TAG = 8
MATRIX, COMPRESSED = 14, 15
OF_MATRICES = (1, 2, 3)  # classes whose members are matrices: cells, structures, objects


def check_elements(file: bytes) -> None:
    """ValueError if an element, at any depth, states more bytes or more members than there are."""
    if len(file) < HEADER or file[HEADER - 2 : HEADER] not in ENDIANS:
        raise ValueError("its header is damaged")
    endian = ENDIANS[file[HEADER - 2 : HEADER]]
    for kind, content in _split(memoryview(file)[HEADER:], endian):
        if kind == COMPRESSED:
            _check_matrices(_split(memoryview(zlib.decompress(content)), endian), endian)
        else:
            _check_matrices([(kind, content)], endian)


def _check_matrices(pending: list[tuple[int, memoryview]], endian: str) -> None:
    while pending:
        kind, content = pending.pop()
        if kind == MATRIX and len(content):  # an empty one stands for a member that is not there
            elements = _split(content, endian)
            _check_members(elements, len(content), endian)
            pending += elements


def _split(data: memoryview, endian: str) -> list[tuple[int, memoryview]]:
    """The elements in `data`: (type, their data)."""
    elements, place = [], 0
    while place < len(data):
        if len(data) - place < TAG:
            raise ValueError("it ends within an element")
        kind, size = struct.unpack_from(f"{endian}II", data, place)
        start = place + TAG
        if kind >> 16:  # a small element has type and size in the first four bytes, its data in the others
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
        if size > (4 if start < place + TAG else len(data) - start):
            raise ValueError(f"an element states {size} bytes, more than there are")
        elements.append((kind, data[start : start + size]))
        whole = size if kind == COMPRESSED else -(-size // TAG) * TAG
        place = place + TAG if start < place + TAG else start + whole
    return elements


def _check_members(elements: list[tuple[int, memoryview]], size: int, endian: str) -> None:
    """ValueError if a matrix of matrices states more members than its `size` bytes can hold."""
    if len(elements) < 2 or len(elements[0][1]) < 4:
        raise ValueError("a matrix has no flags or no dimensions")
    (flags,) = struct.unpack_from(f"{endian}I", elements[0][1])
    dimensions = struct.unpack(f"{endian}{len(elements[1][1]) // 4}i", elements[1][1][: len(elements[1][1]) // 4 * 4])
    if flags & 0xFF in OF_MATRICES and (min(dimensions, default=0) < 0 or math.prod(dimensions) > size):
        raise ValueError(f"a matrix states {' x '.join(map(str, dimensions))} members, more than there are")
