"""Read boxes from YOLO's .txt files, which ultralytics writes with save_txt and save_conf.

Each line is `class cx cy w h [confidence] [track]`: the middle and the size of a box in shares of the image's size.
Pose models put 17 keypoints (x, y, visibility) behind the box.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from reconstruction.boxes import Box, Entry, PassedOver
from reconstruction.detections import OTHER_CLASS
from reconstruction.documents import read_text
from reconstruction.inputs import Photo
from utils.errors import UserError

PERSON = 0  # in COCO's list of 80 classes
BOX_COLUMNS, KEYPOINT_COLUMNS = 5, 3 * 17
LARGEST_SHARE = 2.0  # boxes may reach beyond the edge, but larger numbers are pixels


def read_yolo(path: Path) -> Callable[[Photo], list[Entry]]:
    """Read a file; returns a function from a photograph to its boxes, in its pixels."""
    lines = read_text(path).splitlines()
    rows = [_read_row(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]

    def find_people(photo: Photo) -> list[Entry]:
        height, width = photo.image.shape[:2]
        size = np.array([width, height])
        return [_convert_to_pixels(row, size) if isinstance(row, Box) else row for row in rows]

    return find_people


def _read_row(line: str, where: str) -> Entry:
    """Read the box of a line, in shares of the image."""
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError:
        values = np.zeros(0)
    rest = values[BOX_COLUMNS:]
    if len(rest) >= KEYPOINT_COLUMNS:
        rest = rest[KEYPOINT_COLUMNS:]
    shares = values[1:BOX_COLUMNS]
    if len(values) < BOX_COLUMNS or len(rest) > 2 or not np.isfinite(values).all():
        return UserError(f"{where} is {_shorten(line)}, expected class cx cy w h [confidence], as YOLO writes.")
    if values[0] != PERSON:
        return PassedOver(OTHER_CLASS)
    if not (shares[2:] > 0).all() or (np.abs(shares) > LARGEST_SHARE).any():
        return UserError(f"{where} is {_shorten(line)}, expected cx cy w h in shares of the image, w and h above 0.")
    # a single number above 1 behind the box is the number of a track, not a confidence
    score = float(rest[0]) if len(rest) == 2 or (len(rest) and rest[0] <= 1) else None
    low, high = shares[:2] - shares[2:] / 2, shares[:2] + shares[2:] / 2
    return Box((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), where, score)


def _convert_to_pixels(box: Box, size: np.ndarray) -> Box:
    low, high = np.array(box.low) * size, np.array(box.high) * size
    return Box((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), box.where, box.score)


def _shorten(line: str) -> str:
    text = repr(line.strip())
    return text if len(text) < 80 else f"{text[:76]}..."
