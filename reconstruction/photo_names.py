"""How files name the photographs that they are about: by file name, stem or number; a frame by its video and number.

Widths of numbers differ: what OpenPose calls clip_000000000007 is clip_8 to ultralytics, which counts from 1, and
clip_000007 here.
"""

import re
from pathlib import Path

from reconstruction.inputs import Photo
from utils.errors import UserError

DIGITS = re.compile(r"[0-9]{1,18}")
FRAME = re.compile(r"(.+)_([0-9]{1,18})")
COCO_NAME = re.compile(r".*_([0-9]{12})")  # COCO_val2014_000000000139
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")


class NotNamed(UserError):
    """Nothing is said about a photograph, which means that nobody was found where only people are written down."""


class NoFile(UserError):
    """A photograph has no file where each should have one."""


def key_of(value) -> int | str | None:
    """An image_id, category_id or stem as it is compared: "0139", 139 and 139.0 are one; None for no such thing."""
    if isinstance(value, str):
        return int(value) if DIGITS.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def base_of(name: str) -> str:
    """The file name at the end of a path of Linux or Windows."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def stem_of(name: str) -> str:
    """A file name without the suffix of its type; numbers behind a dot stay."""
    suffix = Path(name).suffix
    return name[: -len(suffix)] if SUFFIX.fullmatch(suffix) else name


def frame_of(stem: str) -> tuple[str, int] | None:
    """(stem of the video, number) of a name such as clip_000007."""
    match = FRAME.fullmatch(stem)
    return (match[1], int(match[2])) if match else None


def keys_of(photo: Photo) -> list:
    """What a file may call a photograph, the surest first: see `key_of` and `frame_of`."""
    if photo.frame is not None:
        return [(Path(photo.file).stem, photo.frame), photo.frame]
    number = COCO_NAME.fullmatch(photo.stem)
    return [photo.file, photo.stem, key_of(photo.stem), *([int(number[1])] if number else [])]


def files_of_frames(folder: Path, ending: str) -> dict[tuple[str, int], Path]:
    """The files {video}_{number}{ending} of a folder, numbers of any width; by (video, number)."""
    found = {}
    for path in sorted(folder.glob(f"*{ending}")):
        frame = frame_of(path.name[: -len(ending)])
        if frame:
            found[frame] = path
    return found
