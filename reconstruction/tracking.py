"""Follow people over the frames of a video: which detection of a frame is which person.

Every person has a Kalman filter (Kalman, 1960) with constant velocity for the square's centre and the logarithm of its
side. A frame's detections are assigned to the predicted squares at the least total cost (Kuhn, 1955): the squares of
one minus the overlap (intersection over union) and of the distance of the poses. All constants are in seconds, so that
the frame rate does not matter. Memory is that of the people who are in view.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

MAX_GAP = 0.5  # seconds that a person may be unseen
# A person is seen in two frames at least, over this time in seconds: a detector's flicker is shorter.
LEAST_FRAMES, LEAST_SECONDS = 2, 0.1
LEAST_OVERLAP = 0.05  # of a detection with the predicted square; someone who turned back while unseen has this much
POSE_RANGE = 0.5  # metres; poses that differ by more on average are different
POSE_MEMORY = 0.1  # seconds over which a person's last poses are averaged
ACCELERATION = 0.7  # sides per second: the spread by which a speed changes within a second
SQUARE_NOISE = 0.04  # sides; detectors' boxes waver by this much
START_SPEED = 1.5  # sides per second; about the spread of people's speeds, 3 m/s
ABSENCE = 0.1  # cost of who was not seen in the frame before: who hides behind another does not take their detections
IMPOSSIBLE = 1e3  # cost of a pair that may not be assigned


@dataclass(frozen=True)
class Detection:
    """A person in one frame. square: (centre x, centre y, side) px. points [P, 3]: places on the body, metres.

    The points are the same of every detection, relative to the body's middle, and turned as the camera sees them.
    """

    square: np.ndarray
    points: np.ndarray


class _Track:
    """A person in view: the state of the filter, and the poses of the last moments."""

    def __init__(self, identity: int, time: float, detection: Detection):
        self.identity = identity
        self.first = self.seen = self.time = time
        self.count = 1
        self.square = np.asarray(detection.square, np.float64).copy()
        self.square[2] = np.log(self.square[2])
        self.velocity = np.zeros(3)  # centre in px, side in its logarithm, per second
        # of (place, velocity) in sides; the same for the three coordinates
        self.covariance = np.diag([SQUARE_NOISE**2, START_SPEED**2])
        self.points = np.asarray(detection.points, np.float64)

    def predict(self, time: float) -> np.ndarray:
        """Move the filter to `time` and return the square there."""
        step = time - self.time
        move = np.array([[1, step], [0, 1]])
        drift = ACCELERATION**2 * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
        self.covariance = move @ self.covariance @ move.T + drift
        self.square = self.square + step * self.velocity
        self.time = time
        return np.array([*self.square[:2], np.exp(self.square[2])])

    def update(self, detection: Detection) -> None:
        """Take the detection for this person at the time to which the filter was moved."""
        found = np.array([*detection.square[:2], np.log(detection.square[2])])
        gain = self.covariance[0] / (self.covariance[0, 0] + SQUARE_NOISE**2)
        error = found - self.square
        self.square, self.velocity = self.square + gain[0] * error, self.velocity + gain[1] * error
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])
        share = 1 - np.exp(-(self.time - self.seen) / POSE_MEMORY)
        self.points = self.points + share * (detection.points - self.points)
        self.seen, self.count = self.time, self.count + 1

    def is_person(self) -> bool:
        """False for what was seen too briefly."""
        return self.count >= LEAST_FRAMES and self.seen - self.first >= LEAST_SECONDS - 1e-6


class Tracker:
    """Called with one frame after another; an identity is a number that is never given twice."""

    def __init__(self):
        self._tracks: list[_Track] = []
        self._next = 0
        self._brief: list[int] = []
        self._before = 0.0  # time of the last frame

    def __call__(self, time: float, detections: list[Detection]) -> list[int]:
        """The identity of each detection of the frame at `time` in seconds; times rise from call to call."""
        squares = np.array([track.predict(time) for track in self._tracks]).reshape(-1, 3)
        identities = [-1] * len(detections)
        for index, place in self._assign(squares, detections):
            self._tracks[index].update(detections[place])
            identities[place] = self._tracks[index].identity
        for place, detection in enumerate(detections):
            if identities[place] < 0:
                self._tracks.append(_Track(self._next, time, detection))
                identities[place] = self._next
                self._next += 1
        self._forget([track for track in self._tracks if time - track.seen > MAX_GAP + 1e-6])
        self._before = time
        return identities

    def drop_brief(self, is_over: bool = False) -> list[int]:
        """The identities, each named once, that left after being seen too briefly for a person.

        is_over: the video has ended, so nobody in view stays.
        """
        if is_over:
            self._forget(self._tracks)
        brief, self._brief = self._brief, []
        return brief

    def _forget(self, gone: list[_Track]) -> None:
        self._brief += [track.identity for track in gone if not track.is_person()]
        self._tracks = [track for track in self._tracks if track not in gone]

    def _assign(self, squares: np.ndarray, detections: list[Detection]) -> list[tuple[int, int]]:
        """Pairs (place among the tracks, place among the detections)."""
        if not len(squares) or not detections:
            return []
        overlap = overlaps(squares, np.array([detection.square for detection in detections]))
        known = np.stack([track.points for track in self._tracks])
        found = np.stack([detection.points for detection in detections])
        apart = np.linalg.norm(known[:, None] - found, axis=-1).mean(-1)
        # squares, so that two who stand close are matched by the order in which they were predicted
        cost = (1 - overlap) ** 2 + np.minimum(apart / POSE_RANGE, 1) ** 2
        cost[[track.seen < self._before for track in self._tracks]] += ABSENCE
        cost[overlap < LEAST_OVERLAP] = IMPOSSIBLE
        rows, columns = linear_sum_assignment(cost)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return [(row, column) for row, column in pairs if cost[row, column] < IMPOSSIBLE]


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of squares [M, 3] and [N, 3] = (centre x, centre y, side): [M, N]."""
    first, second = first[:, None], second[None]
    halves = (first[..., 2:] + second[..., 2:]) / 2
    smaller = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(halves - np.abs(first[..., :2] - second[..., :2]), 0, smaller).prod(-1)
    return shared / (first[..., 2] ** 2 + second[..., 2] ** 2 - shared)
