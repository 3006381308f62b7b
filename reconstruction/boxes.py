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
    """A person as a file or the command line names it; whether it lies in the photograph is not known yet.

    low, high: corners (x, y), px. where: the place that names it, for messages. score: what its detector gave it,
    None without one. margin: side of the square / longer side of the box.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    where: str
    score: float | None = None
    margin: float = 1.0


@dataclass(frozen=True)
class PassedOver:
    """A sound entry of a file that names nobody to reconstruct; reason: why, as it follows "passed over: 3 ..."."""

    reason: str


Entry = Box | PassedOver | UserError


def box_of(values, where: str, score: float | None = None, has_corners: bool = False) -> Box | UserError:
    """The box that a file gives as [x, y, w, h], or as [x1, y1, x2, y2] where it `has_corners`; px."""
    array = numbers(values)
    if array is not None and len(array) == 4:
        with np.errstate(over="ignore"):
            low, high = array[:2], array[2:] if has_corners else array[:2] + array[2:]
        if (high > low).all():
            return Box((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), where, score)
    expected = "[x1, y1, x2, y2] with x1 < x2 and y1 < y2" if has_corners else "[x, y, w, h] with w and h above 0"
    return UserError(f"{where} is {reprlib.repr(values)}, expected {expected}.")


def square_around(box: Box, photo: Photo) -> Square | UserError:
    """The square around the middle of the box, unless that is no part of the photograph."""
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


def numbers(values) -> np.ndarray | None:
    """A list of finite numbers as float64, or None."""
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        return None
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # an integer beyond the range of floats
        return None
    return array if np.isfinite(array).all() else None
