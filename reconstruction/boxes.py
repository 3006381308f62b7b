"""Where the people of a photograph are: squares from boxes, from OpenPose keypoints, or the whole picture.

A file that is named serves every photograph; a folder holds one file per photograph, `{stem}.json`
for boxes and `{stem}_keypoints.json`, OpenPose's own name, for keypoints.
"""

import json
import reprlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.inputs import Photo
from utils.camera import BOX_UNIT
from utils.errors import UserError

MIN_CONFIDENCE = 0.2  # of a keypoint
KEYPOINT_MARGIN = 1.2  # the margin of the training crops around the body
LARGEST_SIDE = 1e6  # px


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


def find_people(photo: Photo, bbox: str | None, openpose: str | None) -> list[Square | UserError]:
    """A square for every person of the photograph; what is wrong with a person, or with the file, is a UserError."""
    height, width = photo.image.shape[:2]
    try:
        if bbox:
            path = _file_of(bbox, photo, ".json")
            return _from_boxes(path, _load(path), photo)
        if openpose:
            path = _file_of(openpose, photo, "_keypoints.json")
            return _from_keypoints(path, _load(path), photo)
    except UserError as error:
        return [error]
    return [Square(width / 2, height / 2, float(max(height, width)))]


def _file_of(place: str, photo: Photo, ending: str) -> Path:
    path = Path(place)
    return path / f"{photo.stem}{ending}" if path.is_dir() else path


def _load(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error


def _from_boxes(path: Path, content, photo: Photo) -> list[Square | UserError]:
    boxes = content.get("bbox") if isinstance(content, dict) else None
    if not isinstance(boxes, list) or not boxes:
        raise UserError(f'{path} has no boxes, expected {{"bbox": [x, y, w, h]}} or a list of such boxes.')
    if not isinstance(boxes[0], list):
        boxes = [boxes]
    return [_square_of_box(box, f"{path}: box {index}", photo) for index, box in enumerate(boxes)]


def _square_of_box(box, where: str, photo: Photo) -> Square | UserError:
    numbers = _numbers(box)
    if numbers is None or len(numbers) != 4 or not (numbers[2:] > 0).all():
        return UserError(f"{where} is {reprlib.repr(box)}, expected [x, y, w, h] with w and h above 0.")
    return _square(numbers[:2], numbers[:2] + numbers[2:], 1.0, where, photo)


def _from_keypoints(path: Path, content, photo: Photo) -> list[Square | UserError]:
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not people:
        raise UserError(f'{path} has no people, expected the output of OpenPose, {{"people": [...]}}.')
    return [_square_of_keypoints(person, f"{path}: person {index}", photo) for index, person in enumerate(people)]


def _square_of_keypoints(person, where: str, photo: Photo) -> Square | UserError:
    numbers = _numbers(person.get("pose_keypoints_2d") if isinstance(person, dict) else None)
    if numbers is None or not len(numbers) or len(numbers) % 3:
        return UserError(f"{where} has no pose_keypoints_2d, expected numbers x, y, confidence for each keypoint.")
    keypoints = numbers.reshape(-1, 3)
    seen = keypoints[keypoints[:, 2] > MIN_CONFIDENCE, :2]
    extent = np.ptp(seen, axis=0).max() if len(seen) else 0.0
    if not extent > 0:
        return UserError(f"{where} has {len(seen)} keypoints of confidence above {MIN_CONFIDENCE}, no box can be made.")
    return _square(seen.min(axis=0), seen.max(axis=0), KEYPOINT_MARGIN, where, photo)


def _square(low: np.ndarray, high: np.ndarray, margin: float, where: str, photo: Photo) -> Square | UserError:
    """The square around the box from corner `low` to corner `high`, unless that is no part of the image."""
    height, width = photo.image.shape[:2]
    side = float(margin * (high - low).max())
    if side > LARGEST_SIDE or (low >= (width, height)).any() or (high <= 0).any():
        corners = ", ".join(f"{value:.0f}" for value in (*low, *high))
        return UserError(f"{where} ({corners}) lies outside the image {photo.name} of {width} x {height} pixels.")
    x, y = (low + high) / 2
    return Square(x, y, side)


def _numbers(values) -> np.ndarray | None:
    """A list of finite numbers as float64, or None."""
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        return None
    try:
        array = np.array(values, np.float64)
    except OverflowError:  # an integer beyond the range of floats
        return None
    return array if np.isfinite(array).all() else None
