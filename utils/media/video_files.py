"""Write videos with OpenCV."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from utils.errors import CannotWrite
from utils.files import atomic_path, plain_path
from utils.media.whole_files import video_is_cut

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}  # by the ending of the file
FRAME_RATE = 30.0


def write_frames(path: Path, frames: Iterable[np.ndarray], frame_rate: float = FRAME_RATE) -> None:
    """Write frames [H, W, 3] uint8 BGR, at least one and all of one size, as a video .mp4 or .avi, frame by frame.

    These formats have an even number of rows and columns; the last of an odd number is left out. CannotWrite where the
    disk does not take the whole file.
    """
    with atomic_path(path) as temporary, plain_path(temporary) as plain:
        writer = cv2.VideoWriter()
        for frame in frames:
            if not writer.isOpened():
                codec, size = cv2.VideoWriter.fourcc(*CODECS[path.suffix]), frame.shape[1::-1]
                if not writer.open(str(plain), codec, frame_rate, size):
                    raise CannotWrite(f"cannot write {path}: OpenCV writes no video of {size[0]} x {size[1]} pixels.")
            writer.write(np.ascontiguousarray(frame))
        writer.release()
        with open(plain, "rb") as stream:  # OpenCV says nothing of a full disk
            if video_is_cut(stream):
                raise CannotWrite(f"cannot write {path}: the disk took a part only. Make room, then run this again.")
