"""Open videos: any file name, upright frames, and an explanation for files that cannot be decoded."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from utils.errors import UserError
from utils.media.file_kinds import VIDEO, kind_of_file
from utils.media.image_files import MAX_PIXELS, UPRIGHT, turn_upright
from utils.media.whole_files import boxes, video_is_cut

# hides ffmpeg's messages about broken videos: this file gives one line
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

LARGEST_RATE = 480.0  # frames per second; some files state a number that is no rate, such as 1000 or 90000
CODEC_NAMES = {"av01": "AV1", "v_av1": "AV1", "vvc1": "H.266 (VVC)", "vvi1": "H.266 (VVC)"}
CODEC_PLACES = (
    re.compile(rb"vmhd.{12,512}?stsd.{12}([ -~]{4})", re.DOTALL),  # MP4, MOV: the table of the video track
    re.compile(rb"(V_[A-Z0-9]+(?:/[A-Z0-9]+)*)"),  # Matroska, WebM
    re.compile(rb"strh.{4}vids([ -~]{4})", re.DOTALL),  # AVI
)
CODEC_SEARCH = 2**20  # bytes at both ends of a file
ORIENTATIONS = {0: UPRIGHT, 90: 6, 180: 3, 270: 8}  # of EXIF, by degrees clockwise
# of EXIF, by the signs in a track's matrix (a, b, c, d): a stored pixel (x, y) belongs at (a x + c y, b x + d y)
MIRRORED = {(-1, 0, 0, 1): 2, (1, 0, 0, -1): 4, (0, 1, 1, 0): 5, (0, -1, -1, 0): 7}
TRACK_MATRIX = {0: 40, 1: 52}  # version of a track's header -> place of the matrix in it
TRACK_HEADER = 96  # bytes


class Video:
    """An open video file. Frames come one after the other, from the first or from the one that `seek` chose."""

    def __init__(self, path: Path, threads: int | None = None):
        """threads: how many decode; None lets ffmpeg choose."""
        settings = [] if threads is None else [cv2.CAP_PROP_N_THREADS, threads]
        with _name_for_ffmpeg(path) as name:
            self.capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, settings)
        # OpenCV would take mirrored frames for turned ones, so frames are turned here instead
        self.capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        degrees = round(self.capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.orientation = _mirrored_orientation(path) or ORIENTATIONS.get(degrees, UPRIGHT)
        self.path, self.has_frames = path, False

    def frame_rate(self) -> float | None:
        """Frames per second, as the file states them; None if it states nothing that makes sense."""
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        return rate if 0 < rate <= LARGEST_RATE else None

    def check_size(self, advice: str) -> None:
        """UserError where a frame has more than MAX_PIXELS."""
        pixels = self.capture.get(cv2.CAP_PROP_FRAME_WIDTH) * self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if pixels > MAX_PIXELS:
            raise UserError(f"{self.path} has frames of more than {MAX_PIXELS / 1e6:.0f} million pixels. {advice}")

    def grab(self) -> bool:
        """Go to the next frame; False if there is none."""
        found = self.capture.grab()
        self.has_frames = self.has_frames or found
        return found

    def retrieve(self) -> np.ndarray | None:
        """The frame [H, W, 3] uint8 BGR that grab went to, upright; None where it cannot be decoded."""
        decoded, frame = self.capture.retrieve()
        return turn_upright(frame, self.orientation) if decoded else None

    def seek(self, frame: int) -> None:
        """Make `frame`, counted from 0, the next frame."""
        self.capture.set(cv2.CAP_PROP_POS_FRAMES, frame)

    def release(self) -> None:
        """Close the file."""
        self.capture.release()

    def is_cut(self) -> bool:
        """True if the file is shorter than it states itself."""
        with open(self.path, "rb") as stream:
            return video_is_cut(stream)

    def fault(self) -> str:
        """What is wrong with a video without frames, as ': it is ...'; '' if that is unknown."""
        kind = kind_of_file(self.path)
        if kind not in ("", VIDEO):
            return f": it is {kind}"
        if self.is_cut():
            return ": it is truncated, the end of the file is missing"
        codec = self._codec()
        return f": no frame can be decoded here (codec {codec})" if codec else ""

    def cannot_be_decoded(self) -> UserError:
        """The error for a video without frames, with what to do."""
        command = f"ffmpeg -i {shlex.quote(self.path.name)} -c:v libx264 -pix_fmt yuv420p converted.mp4"
        advice = "Copy or download it again." if self.is_cut() else f"Convert it: {command}"
        return UserError(f"{self.path} cannot be decoded as a video{self.fault()}. {advice}")

    def _codec(self) -> str:
        """The codec's name, or its mark in the file; '' if none is found."""
        code = int(self.capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        mark = code.to_bytes(4, "little").rstrip(b"\0") or _codec_mark(self.path)
        text = mark.decode("ascii", "backslashreplace").strip()
        return CODEC_NAMES.get(text.lower(), text)


def _codec_mark(path: Path) -> bytes:
    """The mark of the codec in a file that ffmpeg did not open; b'' if none is found."""
    with open(path, "rb") as stream:
        content = stream.read(CODEC_SEARCH)
        stream.seek(max(stream.seek(0, io.SEEK_END) - CODEC_SEARCH, len(content)))
        content += stream.read()
    found = [match for place in CODEC_PLACES if (match := place.search(content))]
    return found[0][1] if found else b""


@contextlib.contextmanager
def _name_for_ffmpeg(path: Path) -> Iterator[str]:
    """Yield a name of the file in UTF-8, valid within the block. It is absolute, so that ffmpeg sees no protocol in it.

    UserError where the file cannot be read.
    """
    name = os.path.abspath(path)
    try:
        with open(path, "rb") as stream:
            yield name if name.isprintable() else f"/proc/self/fd/{stream.fileno()}"
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _mirrored_orientation(path: Path) -> int | None:
    """The EXIF orientation of an MP4 or MOV whose frames are stored mirrored; None for others."""
    if kind_of_file(path) != VIDEO:
        return None
    with open(path, "rb") as stream:
        for track in _inner_boxes(stream, _inner_boxes(stream, [(0, None)], b"moov"), b"trak"):
            for begin, _ in _inner_boxes(stream, [track], b"tkhd"):
                stream.seek(begin)
                header = stream.read(TRACK_HEADER)
                place = TRACK_MATRIX.get(header[0] if header else -1, len(header))
                entries = [header[place + start :][:4] for start in (0, 4, 12, 16)]
                signs = tuple(int(np.sign(int.from_bytes(entry, "big", signed=True))) for entry in entries)
                if signs in MIRRORED:
                    return MIRRORED[signs]
    return None


def _inner_boxes(stream, places, name: bytes) -> Iterator[tuple[int, int]]:
    """For each range (begin, end) of `places`: (place of the content, end) of the boxes called `name` in it."""
    for begin, end in places:
        yield from [(inner, stop) for found, inner, stop in boxes(stream, begin, end) if found == name]
