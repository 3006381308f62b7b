"""Is the end of a picture or video there? Downloads can break off, or be filled up with zeros.

Decoders often show the part that is there, with grey or black for the rest. This file only follows the outline of a
file (the lengths of its parts, the mark of its end), which takes milliseconds. Bytes after the end are allowed: cameras
append videos, further pictures and their own notes.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from utils.media.file_kinds import AVIF, BMP, HEIF, JPEG, JPEG_2000, PNG, TIFF, WEBP

# compressed data do not end with so many zero bytes; uncompressed data may, so for them a tail of zeros tells nothing
ZEROS = bytes(64)
# ends the compressed data of a JPEG: a marker that is neither an escaped FF (FF 00) nor a restart
JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # a chunk of no bytes
JPEG_2000_END = b"\xff\xd9"
TIFF_COMPRESSION, TIFF_PLACES, TIFF_LENGTHS = 259, (273, 324), (279, 325)  # of strips and of tiles
TIFF_UNCOMPRESSED = 1


def is_cut(kind: str, content: bytes) -> bool:
    """True if a picture of this kind (utils.media.file_kinds) lacks its end; False if that cannot be told."""
    check = CHECKS.get(kind)
    return check is not None and check(content)


def _jpeg(content: bytes) -> bool:
    """Segments are skipped as a whole, because thumbnails inside them have an end mark of their own."""
    place = 2
    while place + 4 <= len(content):
        marker = content[place + 1]
        if content[place] != 0xFF or marker == JPEG_END:
            return False  # not 0xFF: damaged in another way; the decoder will find out
        if marker == 0xFF:  # fill
            place += 1
            continue
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == JPEG_SCAN:
            found = JPEG_MARKER.search(content, place)
            if found is None:
                return True
            place = found.start()
    return content[place : place + 2] != bytes((0xFF, JPEG_END))


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, place of the content, length) of the chunks of a PNG; the last chunk of a whole PNG is IEND."""
    size, place = len(content), 8
    while place + 12 <= size:
        length, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if place + 12 + length > size or not name.isalpha():
            return
        yield name, place + 8, length
        if name == b"IEND":
            return
        place += 12 + length


def _png(content: bytes) -> bool:
    return not content.endswith(PNG_END) and all(name != b"IEND" for name, _, _ in png_chunks(content))


def _webp(content: bytes) -> bool:
    place, end = 12, 8 + int.from_bytes(content[4:8], "little")
    while place + 8 <= min(end, len(content)):
        name, length = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
        if not any(name) or (name in (b"VP8 ", b"VP8L") and content[:place].endswith(ZEROS)):
            return True
    return end > len(content)


def boxes(stream: BinaryIO, place: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, place of the content, end) of the boxes of an ISO media file (MP4, AVIF, JPEG 2000).

    Boxes from `place` to `end` are listed; the last may reach beyond the end of the file.
    """
    size = stream.seek(0, io.SEEK_END)
    end = size if end is None else min(end, size)
    while place + 8 <= end:
        stream.seek(place)
        length, name, begin = int.from_bytes(stream.read(4), "big"), stream.read(4), place + 8
        if length == 1:  # a length of 64 bits follows
            length, begin = int.from_bytes(stream.read(8), "big"), place + 16
        elif length == 0:  # to the end of the file
            length = size - place
        if length < begin - place:
            return
        place += length
        yield name, begin, place


def _iso_media(stream: BinaryIO, directory: bytes) -> bool:
    """True if the box called `directory` is missing, or if it or the data reach beyond the end of the file."""
    found = list(boxes(stream))
    size = stream.seek(0, io.SEEK_END)
    names = [name for name, _, _ in found]
    return directory not in names or any(end > size for name, _, end in found if name in (directory, b"mdat"))


def _heif(content: bytes) -> bool:
    return _iso_media(io.BytesIO(content), b"meta")


def _avif(content: bytes) -> bool:
    ends = [end for name, _, end in boxes(io.BytesIO(content)) if name == b"mdat"]
    return _heif(content) or any(content[:end].endswith(ZEROS) for end in ends)


def _jpeg_2000(content: bytes) -> bool:
    if content.startswith(b"\xff\x4f"):  # without boxes
        return JPEG_2000_END not in content
    places = [(begin, end) for name, begin, end in boxes(io.BytesIO(content)) if name == b"jp2c"]
    return any(end > len(content) or content.find(JPEG_2000_END, begin, end) < 0 for begin, end in places) or not places


def _bmp(content: bytes) -> bool:
    # some files state a length of 0; then the decoder must find out
    return int.from_bytes(content[2:6], "little") > len(content)


def _tiff(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["TIFF"]) as header:
            tags = dict(header.tag_v2)  # type: ignore[attr-defined]  # of Pillow's TIFF
    except Exception:  # its directory is damaged, or lies beyond the end
        directory = int.from_bytes(content[4:8], "little" if content.startswith(b"II") else "big")
        return not any(content[directory : directory + 2])
    places = [place for tag in TIFF_PLACES for place in tags.get(tag, ())]
    lengths = [length for tag in TIFF_LENGTHS for length in tags.get(tag, ())]
    end = max((place + length for place, length in zip(places, lengths, strict=False)), default=0)
    compressed = tags.get(TIFF_COMPRESSION, TIFF_UNCOMPRESSED) != TIFF_UNCOMPRESSED
    return end > len(content) or (compressed and content[:end].endswith(ZEROS))


def video_is_cut(stream: BinaryIO) -> bool:
    """True if a video is shorter than it states itself. MP4, MOV and AVI state it; False for other formats."""
    stream.seek(0)
    head = stream.read(12)
    size = stream.seek(0, io.SEEK_END)
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little") > size
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide"):
        return False
    return _iso_media(stream, b"moov")


CHECKS = {
    JPEG: _jpeg, PNG: _png, WEBP: _webp, AVIF: _avif, HEIF: _heif, JPEG_2000: _jpeg_2000, BMP: _bmp, TIFF: _tiff,
}  # fmt: skip
