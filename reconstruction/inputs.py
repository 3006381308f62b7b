"""Read photographs from files, folders and videos. A UserError takes the place of what cannot be read."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.errors import UserError
from utils.media.file_kinds import NOT_READ, READ, VIDEO, kind_of_file
from utils.media.image_files import image_size, read_image
from utils.media.videos import Video

# Files of a folder are chosen by these endings; a file named on the command line is judged by its content.
IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".avif",
    ".heic", ".heif", ".hif", ".jxl", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pnm", ".psd",
}  # fmt: skip
VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".3gp",
    ".3g2", ".flv", ".f4v", ".wmv", ".asf", ".ogv",
}  # fmt: skip
SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini"}  # Windows; system files of other systems begin with a dot
NAME_LENGTH, NAME_BYTES = 60, 180  # longest name; file systems allow 255 bytes, and suffixes follow
USUAL_RATE = 30.0  # frames per second, where a video states none
ADVICE = "Give an image, a video or a folder of them."


@dataclass(frozen=True)
class Clip:
    """A video. name: a plain word, with which its output files begin. file: its name.

    frame_rate: frames per second of the file; `every`-th frames of it are taken.
    """

    name: str
    file: str
    frame_rate: float
    every: int


@dataclass(frozen=True)
class Photo:
    """image [H, W, 3] uint8 BGR. name: a plain word, with which its output files begin.

    file: the name of the input file. stem: the same without ending, with the number of a video's frame.
    frame: the number of a video's frame, from 0; None for a picture. clip: the video.
    """

    name: str
    stem: str
    image: np.ndarray
    file: str = ""
    frame: int | None = None
    clip: Clip | None = None


def _print_note(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def read_photos(paths: list, every: int = 1, note: Callable[[str], None] = _print_note) -> Iterator[Photo | UserError]:
    """Read the photographs of files, folders and videos in order; of a video, every `every`-th frame.

    Names are unique and hold no separators. `note` gets one line about what is passed over in a folder.
    """
    names = _Names()
    for path in map(Path, paths):
        for entry in _list(path, note):
            yield from [entry] if isinstance(entry, UserError) else _read(entry, every, names, note)


def count_photos(paths: list) -> int | None:
    """Count the photographs of files and folders; None if there is a video, whose length is unknown."""
    files = [entry for path in map(Path, paths) for entry in _list(path, note=lambda line: None)]
    videos = any(isinstance(file, Path) and _is_video(file) for file in files)
    return None if videos else len(files)


class _Names:
    """Gives plain, short names that do not repeat."""

    def __init__(self):
        self.taken = set()

    def make_unique(self, stem: str) -> str:
        plain = re.sub(r"[^\w.-]", "_", stem).lstrip(".")[:NAME_LENGTH] or "photo"
        plain = plain.encode()[:NAME_BYTES].decode(errors="ignore")
        # a_person0.obj, a_textured.glb, a_rigged.glb and a_fitted_side.png are files of photo a
        plain = re.sub(r"(_person\d+|_textured|_rigged|_fitted)$", r"\1-", plain)
        name, number = plain, 1
        while name.lower() in self.taken:  # some file systems do not tell a.obj from A.obj
            number += 1
            name = f"{plain}-{number}"
        self.taken.add(name.lower())
        return name


def _list(path: Path, note: Callable[[str], None]) -> list[Path | UserError]:
    if not os.path.exists(path):  # Path.exists raises for names that are too long
        return [UserError(f"{path} does not exist. {ADVICE}")]
    if not path.is_dir():
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        return [UserError(f"the folder {path} cannot be read: {error.strerror}.")]
    files = [entry for entry in entries if not entry.is_dir()]
    visible = [file for file in files if not file.name.startswith(".") and file.name.lower() not in SYSTEM_FILES]
    taken = [file for file in visible if file.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES]
    left = _describe_left_over(len(entries) - len(files), len(files) - len(visible), set(visible) - set(taken))
    if not taken:
        return [UserError(f"the folder {path} holds no images or videos{f', but {left}' if left else ''}.")]
    if left:
        note(f"{path}: passed over {left}")
    return [*taken]


def _describe_left_over(folders: int, hidden: int, others: set[Path]) -> str:
    """Say what a folder holds besides photographs: '2 hidden files, 3 files of another kind (.json, .txt)', or ''."""
    endings = ", ".join(sorted({file.suffix.lower() or "without ending" for file in others}))
    counts = [
        (hidden, "hidden file", ""), (len(others), "file", f" of another kind ({endings})"), (folders, "folder", ""),
    ]  # fmt: skip
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}{more}" for count, name, more in counts if count)


def _read(path: Path, every: int, names: _Names, note: Callable[[str], None]) -> Iterator[Photo | UserError]:
    try:
        if _is_video(path):
            yield from _read_frames(path, every, names, note)
        else:
            yield Photo(names.make_unique(path.stem), path.stem, read_image(path, ADVICE), path.name)
    except UserError as error:
        yield error


def _is_video(path: Path) -> bool:
    """Decide by the content; if that is unknown, a file that is no image but that ffmpeg can read is a video."""
    kind, suffix_says_so = kind_of_file(path), path.suffix.lower() in VIDEO_SUFFIXES
    if kind:
        return kind == VIDEO or (suffix_says_so and kind not in (*READ, *NOT_READ))
    try:
        image_size(path, ADVICE)
    except UserError:
        return suffix_says_so or _has_frames(path)
    return False


def _has_frames(path: Path) -> bool:
    if not path.is_file():
        return False
    video = Video(path)
    try:
        return video.grab()
    finally:
        video.release()


def _read_frames(path: Path, every: int, names: _Names, note: Callable[[str], None]) -> Iterator[Photo]:
    """Yield every `every`-th frame of a video."""
    video = Video(path)
    try:
        video.check_size("Make it smaller.")
        number, clip = 0, None
        while video.grab():
            if clip is None:
                rate = video.frame_rate()
                if rate is None:
                    note(f"{path} states no frame rate; {USUAL_RATE:g} frames a second are assumed")
                clip = Clip(names.make_unique(path.stem), path.name, rate or USUAL_RATE, every)
            if number % every == 0:
                frame = video.retrieve()
                if frame is None:
                    raise UserError(f"{path}: frame {number} cannot be decoded. Convert the video with ffmpeg.")
                stem = f"{path.stem}_{number:06d}"
                yield Photo(names.make_unique(stem), stem, frame, path.name, number, clip)
            number += 1
        if not number:
            raise video.cannot_be_decoded()
        if video.is_cut():
            raise UserError(
                f"{path} is truncated: the end of the file is missing. The {number} frames before are used."
            )
    finally:
        video.release()
