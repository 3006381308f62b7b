"""Write videos with OpenCV."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from utils.files import atomic_path, plain_path

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}  # by the ending of the file
FRAME_RATE = 30


def write_frames(path: Path, frames: Iterable[np.ndarray]) -> None:
    """Write frames [H, W, 3] uint8 BGR, at least one and all of one size, as a video .mp4 or .avi."""
    with atomic_path(path) as temporary, plain_path(temporary) as plain:
        writer = cv2.VideoWriter()
        for frame in frames:
            if not writer.isOpened():
                codec, size = cv2.VideoWriter.fourcc(*CODECS[path.suffix]), frame.shape[1::-1]
                writer.open(str(plain), codec, FRAME_RATE, size)
            writer.write(np.ascontiguousarray(frame))
        writer.release()
