"""Make boxes around the people of OpenPose's files: {"people": [{"pose_keypoints_2d": [x, y, confidence, ...]}]}.

Any set of keypoints will do: BODY_25, COCO, MPI. Older versions write "pose_keypoints".
"""

from pathlib import Path

import numpy as np

from reconstruction.boxes import Box, Entry, PassedOver, parse_numbers
from reconstruction.documents import load_json
from utils.errors import UserError

MIN_CONFIDENCE = 0.2  # of a keypoint
KEYPOINT_MARGIN = 1.2  # margin of the training crops around the body


def read_openpose(path: Path) -> list[Entry]:
    """Read the people of a file; a person's score is the mean confidence of the visible keypoints."""
    content = load_json(path)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise UserError(f'{path} has no people, expected the output of OpenPose, {{"people": [...]}}.')
    return [_read_person(person, f"{path}: person {index}") for index, person in enumerate(people)]


def _read_person(person, where: str) -> Entry:
    person = person if isinstance(person, dict) else {}
    array = parse_numbers(person.get("pose_keypoints_2d", person.get("pose_keypoints")))
    if array is None or not len(array) or len(array) % 3:
        return UserError(f"{where} has no pose_keypoints_2d, expected numbers x, y, confidence for each keypoint.")
    keypoints = array.reshape(-1, 3)
    seen = keypoints[keypoints[:, 2] > MIN_CONFIDENCE]
    if not len(seen) or not np.ptp(seen[:, :2], axis=0).any():
        return PassedOver(f"of fewer than two keypoints with confidence above {MIN_CONFIDENCE}")
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    corners = (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
    return Box(*corners, where, float(seen[:, 2].mean()), KEYPOINT_MARGIN)
