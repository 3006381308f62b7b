"""The only reader of pictures: any file name, every common format, upright; damaged files are refused.

Python reads the bytes, because OpenCV accepts only names in UTF-8. Pillow reads the header and OpenCV decodes; Pillow
decodes formats that OpenCV does not know, such as GIF and AVIF. `image_size` and `read_image` agree for every file.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from utils.errors import UserError
from utils.media.file_kinds import HEAD, HEIF, JPEG, JPEG_2000, NOT_READ, PNG, RAW, READ, TIFF, kind_of
from utils.media.whole_files import is_cut, png_chunks

MAX_PIXELS = 80_000_000  # 240 MB when decoded; larger than the pictures of any phone
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit; it warns from half of it on
Image.init()  # registers the formats below
# messages of the libraries about files are hidden: this file gives one line
warnings.filterwarnings("ignore", module=r"PIL\.")
cv2.setLogLevel(0)

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "SUN", "PSD", "PCX", "SGI"]
HEIF_PACKAGE = "pillow_heif"
ORIENTATION_TAG = 0x0112  # of EXIF
UPRIGHT = 1
TRANSPOSED = (5, 6, 7, 8)  # orientations in which height and width are exchanged
DNG_VERSION_TAG, SUBFILE_TAG, PHOTOMETRIC_TAG, SENSOR = 50706, 254, 262, (32803, 34892)  # of TIFF
JPEG_END = b"\xff\xd9"
# chunks of a PNG that change no colour here; libpng would write about their faults to the terminal
PNG_REMARKS = {b"iCCP", b"cHRM", b"gAMA", b"sRGB", b"sBIT", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"eXIf"}


@dataclass(frozen=True)
class Header:
    """What a picture's header states: its kind (file_kinds), its size in pixels as stored, and its EXIF orientation."""

    kind: str
    height: int
    width: int
    orientation: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the upright picture."""
        return (self.width, self.height) if self.orientation in TRANSPOSED else (self.height, self.width)


def read_image(path: Path, advice: str) -> np.ndarray:
    """Image [H, W, 3] uint8 in OpenCV's channel order (BGR), upright; grey and RGBA files become three channels.

    If a file holds several pictures, the first is read. UserError, with `advice`, for a file that is missing, cannot be
    decoded, lacks its end or is huge.
    """
    with _opened(path, advice) as file:
        is_picture = kind_of(file.read(HEAD)) in READ
        file.seek(0)
        stream = io.BytesIO(file.read()) if is_picture else file  # the file may be anything, of any size
        header = _read_header(path, stream, advice)
        stream.seek(0)
        content = stream.read()
    if is_cut(header.kind, content):
        if header.kind != JPEG or not _lacks_only_its_mark(content):
            raise _truncated(path, advice)
        content += JPEG_END
    image = _decode(content, header)
    if image is None:
        raise UserError(f"{path} cannot be decoded as an image. {advice}")
    return turn_upright(image, header.orientation)


def image_size(path: Path, advice: str) -> tuple[int, int]:
    """Height and width of the image that read_image returns, from the header alone; raises as read_image.

    A file of some kilobytes can be decoded to billions of pixels.
    """
    with _opened(path, advice) as stream:
        return _read_header(path, stream, advice).shape


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image [h, w, 3] as stored upright, by its EXIF orientation: 1 is upright, 2 to 8 turned or mirrored."""
    if orientation in TRANSPOSED:
        image = cv2.transpose(image)
    # 0 exchanges top and bottom, 1 left and right, -1 both
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(image, flips[orientation]) if orientation in flips else image


@contextlib.contextmanager
def _opened(path: Path, advice: str):
    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist. {advice}")
    try:
        with open(path, "rb") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. {advice}") from error


def _truncated(path: Path, advice: str) -> UserError:
    return UserError(f"{path} is truncated: the end of the file is missing. {advice}")


def _read_header(path: Path, stream: BinaryIO, advice: str) -> Header:
    kind = kind_of(stream.read(HEAD))
    stream.seek(0)
    try:
        with Image.open(stream, formats=_formats(kind)) as picture:
            header = Header(kind, picture.height, picture.width, _orientation(kind, picture, stream))
            if kind == TIFF and _is_raw(picture):
                raise _unreadable(path, RAW, advice)
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise any exception type
        stream.seek(0)
        if kind not in NOT_READ and is_cut(kind, stream.read()):
            raise _truncated(path, advice) from error
        raise _unreadable(path, kind, advice) from error
    if header.height * header.width > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:.0f} million"
        raise UserError(
            f"{path} is too large: {header.width} x {header.height} pixels. Make it smaller than {limit} pixels."
        )
    return header


def _formats(kind: str) -> list[str]:
    if kind == HEIF and importlib.util.find_spec(HEIF_PACKAGE):
        importlib.import_module(HEIF_PACKAGE).register_heif_opener()
        return ["HEIF"]
    return FORMATS


def _unreadable(path: Path, kind: str, advice: str) -> UserError:
    what = f"{path} cannot be decoded as an image{f': it is {kind}' if kind and kind not in READ else ''}"
    if kind == HEIF and _formats(kind) == FORMATS:
        return UserError(f"{what}. Convert it to JPEG, or install the package pillow-heif.")
    return UserError(f"{what}. {'Convert it to JPEG.' if kind in NOT_READ else advice}")


def _orientation(kind: str, picture: Image.Image, stream: BinaryIO) -> int:
    """The EXIF orientation, 1 to 8; UPRIGHT for formats whose decoders turn pictures themselves."""
    if kind in (TIFF, HEIF):
        return UPRIGHT
    exif = Image.Exif()
    try:
        exif.load(picture.info.get("exif") or (_png_exif(stream) if kind == PNG else b""))
        value = exif.get(ORIENTATION_TAG)
    except Exception:  # damaged EXIF data do not make the picture unreadable
        return UPRIGHT
    return value if isinstance(value, int) and UPRIGHT <= value <= 8 else UPRIGHT


def _png_exif(stream: BinaryIO) -> bytes:
    """The EXIF data of a PNG, which may come after the pixels; b'' where there are none."""
    stream.seek(0)
    content = stream.read()
    found = (content[begin : begin + length] for name, begin, length in png_chunks(content) if name == b"eXIf")
    return next(found, b"")


def _is_raw(picture: Image.Image) -> bool:
    """True for the TIFF of a camera's RAW file; its first picture is a thumbnail or the raw data of the sensor."""
    tags = dict(picture.tag_v2)  # type: ignore[attr-defined]  # of Pillow's TIFF
    small = bool(tags.get(SUBFILE_TAG, 0) & 1)
    return DNG_VERSION_TAG in tags or small or tags.get(PHOTOMETRIC_TAG) in SENSOR


def _decode(content: bytes, header: Header) -> np.ndarray | None:
    """Image [h, w, 3] uint8 BGR as stored; None where neither OpenCV nor Pillow can."""
    if header.kind == PNG:
        content = _without_remarks(content)
    if header.kind == JPEG_2000:  # OpenCV's decoder ends the whole process at a damaged file of these formats
        return _decode_by_pillow(content, ["JPEG2000"])
    with contextlib.suppress(cv2.error):
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is not None and image.shape[:2] == (header.height, header.width):
            return image
    # both use the same libraries for these formats, but Pillow also decodes damaged files
    return None if header.kind in (JPEG, PNG) else _decode_by_pillow(content, _formats(header.kind))


def _decode_by_pillow(content: bytes, formats: list[str]) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(content), formats=formats) as picture:
            picture.load()
            if picture.mode.startswith("I;16"):
                return cv2.cvtColor((np.asarray(picture) >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR)
            # keeps the colours of transparent parts, as OpenCV does
            return cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    except Exception:  # a damaged file can raise any exception type
        return None


def _without_remarks(content: bytes) -> bytes:
    """The bytes of a whole PNG without the chunks of PNG_REMARKS."""
    chunks = list(png_chunks(content))
    if PNG_REMARKS.isdisjoint(name for name, _, _ in chunks):
        return content
    kept = [content[begin - 8 : begin + length + 4] for name, begin, length in chunks if name not in PNG_REMARKS]
    return b"".join([content[:8], *kept])


def _lacks_only_its_mark(content: bytes) -> bool:
    """True if a JPEG without an end mark holds all its pixels. Some programs write such files.

    The test is that appended bytes change no pixel. It says False for progressive files, where a whole scan can be
    missing, and for zeros at the end, which may be pixels or may be filled in.
    """
    if content.endswith(b"\0"):
        return False
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as picture:
            if picture.info.get("progressive"):
                return False
    except Exception:  # cut within its header
        return False
    # by Pillow, which does not warn of surplus bytes
    one, other = (_decode_by_pillow(content + filler * 64 + JPEG_END, ["JPEG"]) for filler in (b"\x55", b"\xaa"))
    return one is not None and other is not None and np.array_equal(one, other)
