"""Photographs from files, folders and videos. What cannot be read is a UserError among the photographs."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from utils.errors import UserError
from utils.imutils import MAX_PIXELS, read_image

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}
NAME_LENGTH = 60  # characters; file systems allow 255 bytes, and suffixes follow
# ffmpeg's remarks about broken videos; ours follows in one line
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
ADVICE = "Give an image, a video or a folder of them."


@dataclass(frozen=True)
class Photo:
    """image [H, W, 3] uint8 BGR; name: of its output files, a plain word; stem: of the file (and frame) it is from.

    file: the name of that file. frame: the number of a video's frame, from 0; None for a picture.
    """

    name: str
    stem: str
    image: np.ndarray
    file: str = ""
    frame: int | None = None


def read_photos(paths: list, every: int = 1) -> Iterator[Photo | UserError]:
    """The photographs of files, folders and videos in order; of a video every `every`-th frame.

    Names are unique, however the inputs are called, and hold no separators.
    """
    names = _Names()
    for path in map(Path, paths):
        for entry in _list(path):
            yield from [entry] if isinstance(entry, UserError) else _read(entry, every, names)


def count_photos(paths: list) -> int | None:
    """How many photographs are to come; None where videos make that unknown."""
    files = [entry for path in map(Path, paths) for entry in _list(path)]
    videos = any(isinstance(file, Path) and file.suffix.lower() in VIDEO_SUFFIXES for file in files)
    return None if videos else len(files)


class _Names:
    """Plain, short names that do not repeat."""

    def __init__(self):
        self.taken = set()

    def unique(self, stem: str) -> str:
        plain = re.sub(r"[^\w.-]", "_", stem).lstrip(".")[:NAME_LENGTH] or "photo"
        # a_person0.obj and a_textured.glb are files of photo a
        plain = re.sub(r"(_person\d+|_textured)$", r"\1-", plain)
        name, number = plain, 1
        while name.lower() in self.taken:  # some file systems do not tell a.obj from A.obj
            number += 1
            name = f"{plain}-{number}"
        self.taken.add(name.lower())
        return name


def _list(path: Path) -> list[Path | UserError]:
    if not path.exists():
        return [UserError(f"{path} does not exist. {ADVICE}")]
    if not path.is_dir():
        return [path]
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix.lower() in known]
    if not files:
        return [UserError(f"the folder {path} holds no images or videos ({', '.join(sorted(known))}).")]
    return [*files]


def _read(path: Path, every: int, names: _Names) -> Iterator[Photo | UserError]:
    try:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            for number, frame in _frames(path, every):
                stem = f"{path.stem}_{number:06d}"
                yield Photo(names.unique(stem), stem, frame, path.name, number)
        else:
            yield Photo(names.unique(path.stem), path.stem, read_image(path, ADVICE), path.name)
    except UserError as error:
        yield error


def _frames(path: Path, every: int) -> Iterator[tuple[int, np.ndarray]]:
    """(number, frame) of every `every`-th frame of a video."""
    video = cv2.VideoCapture(str(path))
    try:
        number = 0
        if video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
            raise UserError(f"{path} has frames of more than {MAX_PIXELS / 1e6:.0f} million pixels. Make it smaller.")
        while video.isOpened() and video.grab():
            if number % every == 0:
                decoded, frame = video.retrieve()
                if not decoded:
                    raise UserError(f"{path}: frame {number} cannot be decoded. Convert the video with ffmpeg.")
                yield number, frame
            number += 1
    finally:
        video.release()
    if not number:
        raise UserError(f"{path} cannot be decoded as a video. Convert it with ffmpeg, or give its frames as images.")
