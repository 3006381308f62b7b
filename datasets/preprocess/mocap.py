"""What the motion-capture sets Human3.6M, MPI-INF-3DHP and 3DPW have in common: frames of videos, joints, files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets.preprocess.preparation import newest_change
from datasets.preprocess.samples import Incomplete, SkipSample
from utils.errors import UserError
from utils.files import write_jpeg
from utils.joints import TRAINING_JOINTS, indices
from utils.media.file_kinds import HEAD, READ, kind_of
from utils.media.videos import Video
from utils.media.whole_files import is_cut

MILLIMETRES = 1000.0  # per metre


def extract_frames(video: Path, images: Mapping[int, Path], advice: str) -> set[int]:
    """Write frames of a video as JPEG, by the frame's number from 0; returns the frames whose image is there now.

    The video is decoded once, from its start to the last frame that is needed, with one frame in memory. Whole images
    that are newer than the video are kept; where all are there, the video need not exist. UserError if it has no frame.
    """
    made = video.stat().st_mtime if video.is_file() else 0.0
    done = {frame for frame, path in images.items() if _is_whole_since(path, made)}
    missing = sorted(images.keys() - done)
    if not missing:
        return done
    if not video.is_file():
        raise UserError(f"{video} does not exist. {advice}")
    # one decoding thread: the workers run in parallel already
    source = Video(video, threads=1)
    try:
        source.check_size(advice)
        for frame in range(missing[-1] + 1):
            if not source.grab():
                break
            picture = source.retrieve() if frame in images and frame not in done else None
            if picture is not None:
                write_jpeg(images[frame], picture)
                done.add(frame)
        if not source.has_frames:
            raise UserError(f"{video} cannot be decoded as a video{source.fault()}. {advice}")
    finally:
        source.release()
    return done


def _is_whole_since(path: Path, time: float) -> bool:
    """True if a picture is newer than `time` and has its end."""
    if not path.is_file() or path.stat().st_mtime < time:
        return False
    content = path.read_bytes()
    kind = kind_of(content[:HEAD])
    return kind in READ and not is_cut(kind, content)


def training_joints(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Joints [J, d] called `names` -> training joints [24, d + 1] with confidence 1; 0 for those that are missing."""
    joints = np.zeros((len(TRAINING_JOINTS), values.shape[1] + 1))
    joints[indices(names, TRAINING_JOINTS)] = np.column_stack([values, np.ones(len(values))])
    return joints


def columns(rows: list[dict], **same) -> dict[str, np.ndarray]:
    """Rows of a sample as columns [n, ...], joints and poses as float32; `same` have one value for all rows."""
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    single = {key: table[key].astype(np.float32) for key in ("part", "S", "pose", "shape") if key in table}
    return table | single | {key: np.array([value] * len(rows)) for key, value in same.items()}


def table_of(rows: list[dict], faults: list[str], otherwise: str, **same) -> dict | Incomplete:
    """The result for a sample: its rows, as Incomplete with `faults`, which say what it lacks.

    Without rows the sample is broken by its faults, or else skipped for the reason `otherwise`.
    """
    if not rows and faults:
        raise UserError("; ".join(faults))
    if not rows:
        raise SkipSample(otherwise)
    table = columns(rows, **same)
    return Incomplete(table, "; ".join(faults)) if faults else table


def few(frames: Sequence[int] | set[int]) -> str:
    """Numbers of frames for a message: the first three, and how many there are."""
    first = sorted(frames)[:3]
    return f"{len(frames)} frames ({', '.join(map(str, first))}{', ...' if len(frames) > len(first) else ''})"


def with_ending(path: Path) -> Path:
    """`path`, or the file beside it whose ending has other capitals, as in .MP4, if that exists instead."""
    spellings = (path, path.with_suffix(path.suffix.lower()), path.with_suffix(path.suffix.upper()))
    return next((spelling for spelling in spellings if spelling.is_file()), path)


def files_ending(folder: Path, ending: str) -> list[Path]:
    """The files of a folder with this ending in any capitals, sorted by name; none if the folder does not exist."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ending and not path.name.startswith("."))


class ImageFolder:
    """The names of the files in a folder, read once, so that thousands of images are looked up quickly."""

    def __init__(self, folder: Path):
        names = os.listdir(folder) if folder.is_dir() else []
        self.folder = folder
        self.by_lower_case = {name.lower(): name for name in names}

    def find(self, name: str) -> str | None:
        """`name` as the folder spells it, whatever its capitals; None if it is not there."""
        return self.by_lower_case.get(name.lower())

    def require(self, names: Sequence[str], advice: str) -> list[str]:
        """All of them as the folder spells them; UserError if one is missing."""
        missing = [name for name in names if self.find(name) is None]
        if missing:
            count = f"{len(missing)} of {len(names)} images are missing"
            raise UserError(f"{self.folder / missing[0]} does not exist: {count}. {advice}")
        return [self.by_lower_case[name.lower()] for name in names]


def have_images(root: Path, rows: dict) -> bool:
    """Whether all images of the rows of a sample are files below `root`."""
    return all((root / str(name)).is_file() for name in rows["imgname"])


def change_of(needed: Sequence[Path], videos: Sequence[Path] = ()) -> float:
    """Time of the last change to files; infinite if a needed one is missing. Videos count if they are there."""
    return newest_change(*map(with_ending, needed), *(path for path in map(with_ending, videos) if path.is_file()))
