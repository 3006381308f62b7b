"""Match the names that files of boxes use for photographs: a file name, stem or number; for a frame, video and number.

Programs write the number of a frame differently. The frame that is clip_000007 here is clip_000000000007 for OpenPose
and clip_8 for ultralytics, which counts from 1.
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
    """A file has no entry for a photograph. Files that list only people mean by this that nobody is in it."""


class NoFile(UserError):
    """A photograph has no file, although each should have one."""


def make_key(value) -> int | str | None:
    """Make an image_id, category_id or stem comparable: "0139", 139 and 139.0 become 139; None for other types."""
    if isinstance(value, str):
        return int(value) if DIGITS.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def get_file_name(name: str) -> str:
    """Get the file name at the end of a path of Linux or Windows."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def get_stem(name: str) -> str:
    """Get a file name without the suffix of its type; numbers behind a dot stay."""
    suffix = Path(name).suffix
    return name[: -len(suffix)] if SUFFIX.fullmatch(suffix) else name


def parse_frame(stem: str) -> tuple[str, int] | None:
    """Parse a name such as clip_000007: (stem of the video, number), or None."""
    match = FRAME.fullmatch(stem)
    return (match[1], int(match[2])) if match else None


def list_keys(photo: Photo) -> list:
    """List the keys under which a file may have a photograph, the surest first; see `make_key`, `parse_frame`."""
    if photo.frame is not None:
        return [(Path(photo.file).stem, photo.frame), photo.frame]
    number = COCO_NAME.fullmatch(photo.stem)
    return [photo.file, photo.stem, make_key(photo.stem), *([int(number[1])] if number else [])]


def find_frame_files(folder: Path, ending: str) -> dict[tuple[str, int], Path]:
    """Find the files {video}_{number}{ending} of a folder, by (video, number); numbers have any width."""
    found = {}
    for path in sorted(folder.glob(f"*{ending}")):
        frame = parse_frame(path.name[: -len(ending)])
        if frame:
            found[frame] = path
    return found
