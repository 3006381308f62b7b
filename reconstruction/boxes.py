"""A person's box in a photograph, and the square around it that the network sees."""

import reprlib
from dataclasses import dataclass

import numpy as np

from reconstruction.inputs import Photo
from utils.camera import BOX_UNIT
from utils.errors import UserError

LARGEST_SIDE = 1e6  # px
SMALLEST_SIDE = 2.0  # px; coordinates from 0 to 1 give less
CORNERS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Square:
    """The part of an image that the network sees: centre (x, y) and side, px."""

    x: float
    y: float
    side: float

    @property
    def centre(self) -> np.ndarray:
        """[2] = (x, y) px."""
        return np.array([self.x, self.y])

    @property
    def scale(self) -> float:
        """Side in units of 200 px, as in the data sets."""
        return self.side / BOX_UNIT

    @property
    def box(self) -> np.ndarray:
        """(x, y, w, h) px."""
        return np.array([self.x - self.side / 2, self.y - self.side / 2, self.side, self.side])


@dataclass(frozen=True)
class Box:
    """A person's box from a file or the command line; it may still lie outside the photograph.

    low, high: corners (x, y), px. where: the place that names the box, for messages. score: the detector's score, or
    None. margin: side of the square / longer side of the box.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    where: str
    score: float | None = None
    margin: float = 1.0


@dataclass(frozen=True)
class PassedOver:
    """A valid entry of a file that is not reconstructed. reason: continues the line "passed over: 3 ..."."""

    reason: str


Entry = Box | PassedOver | UserError


def make_box(values, where: str, score: float | None = None, has_corners: bool = False) -> Box | UserError:
    """Make a box from [x, y, w, h] px, or from [x1, y1, x2, y2] px if it `has_corners`; UserError for anything else."""
    array = parse_numbers(values)
    if array is not None and len(array) == 4:
        with np.errstate(over="ignore"):
            low, high = array[:2], array[2:] if has_corners else array[:2] + array[2:]
        if (high > low).all():
            return Box((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), where, score)
    expected = "[x1, y1, x2, y2] with x1 < x2 and y1 < y2" if has_corners else "[x, y, w, h] with w and h above 0"
    return UserError(f"{where} is {reprlib.repr(values)}, expected {expected}.")


def make_square(box: Box, photo: Photo) -> Square | UserError:
    """Make the square around the middle of the box; UserError if it lies outside the photograph or is too small."""
    height, width = photo.image.shape[:2]
    low, high = np.array(box.low), np.array(box.high)
    longer = float((high - low).max())
    if box.margin * longer > LARGEST_SIDE or (low >= (width, height)).any() or (high <= 0).any():
        corners = ", ".join(f"{value:.6g}" for value in (*low, *high))
        return UserError(f"{box.where} ({corners}) lies outside the image {photo.name} of {width} x {height} pixels.")
    if longer < SMALLEST_SIDE:
        return UserError(f"{box.where} has a longer side of {longer:.2g} pixels. Give its coordinates in pixels.")
    x, y = (low + high) / 2
    return Square(float(x), float(y), box.margin * longer)


def parse_numbers(values) -> np.ndarray | None:
    """Turn a list of finite numbers into a float64 array; None for anything else."""
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        return None
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # an integer beyond the range of floats
        return None
    return array if np.isfinite(array).all() else None
