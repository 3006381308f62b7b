"""The motion of each person of a video: collected frame by frame, then filled, smoothed and written.

A person has one body: the betas are the median of those of all frames. A frame whose own betas make a larger body has
it further away, so that both look alike in the picture. The place of the pelvis is therefore moved along the ray to the
camera by the ratio of the sizes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.motion_files import write_amass, write_bvh
from reconstruction.rigged_glb import write_rigged
from reconstruction.smoothing import fill_points, fill_rotations, smooth_points, smooth_rotations
from utils.body_model import NUM_BETAS, BodyModel
from utils.joints import NUM_JOINTS, ROOT

LEAST_FRAMES = 2  # with a body, for a motion


@dataclass(frozen=True)
class Motion:
    """A person over T successive frames of a video, from `first_frame` on, in the space of the video's camera."""

    pose: np.ndarray  # [T, 24, 3], axis-angle
    betas: np.ndarray  # [10]
    translation: np.ndarray  # [T, 3], metres; added to the vertices that pose and betas give
    frame_rate: float
    first_frame: int


class MotionCollector:
    """Keeps some 350 bytes a frame and person, until the video ends."""

    def __init__(self, model: BodyModel, frame_rate: float, smooth: float):
        """smooth: the window in seconds; 0 for none."""
        self.model, self.frame_rate, self.smooth = model, frame_rate, smooth
        self._rows: dict[int, list[np.ndarray]] = {}  # of numbers (frame, pose, betas, pelvis) by person

    def add(self, identity: int, frame: int, pose: np.ndarray, betas: np.ndarray, pelvis: np.ndarray) -> None:
        """Add a person in a later frame: pose [24, 3], betas [10], and the pelvis [3], metres, seen by the camera."""
        row = np.concatenate([[frame], pose.ravel(), betas, pelvis]).astype(np.float32)
        self._rows.setdefault(identity, []).append(row)

    def forget(self, identities: Iterable[int]) -> None:
        """Drop who was no person."""
        for identity in identities:
            self._rows.pop(identity, None)

    def finish(self) -> Iterator[tuple[int, Motion]]:
        """The identity and motion of everyone with a body in LEAST_FRAMES, in the order in which they came."""
        for identity in sorted(self._rows):
            rows = np.array(self._rows.pop(identity), np.float64)
            if len(rows) >= LEAST_FRAMES:
                frames, pose, betas, pelvis = np.split(rows, np.cumsum([1, 3 * NUM_JOINTS, NUM_BETAS]), axis=1)
                pose = pose.reshape(-1, NUM_JOINTS, 3)
                yield identity, self._make(frames[:, 0].astype(int), pose, betas, pelvis)

    def _make(self, frames: np.ndarray, pose: np.ndarray, betas: np.ndarray, pelvis: np.ndarray) -> Motion:
        wanted, body = np.arange(frames[0], frames[-1] + 1), np.median(betas, axis=0)
        pelvis = pelvis * (body_sizes(self.model, body[None]) / body_sizes(self.model, betas))[:, None]
        turns = smooth_rotations(fill_rotations(pose, frames, wanted), self.frame_rate, self.smooth)
        places = smooth_points(fill_points(pelvis, frames, wanted), self.frame_rate, self.smooth)
        return Motion(
            turns, body, places - rest_joints(self.model, body[None])[0, ROOT], self.frame_rate, int(frames[0])
        )


def rest_joints(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """The joints at rest [N, 24, 3], metres, of betas [N, 10]."""
    directions = np.einsum("jv,vck->jck", model.joint_regressor, model.shapedirs)
    return model.joint_regressor @ model.v_template + np.einsum("jck,nk->njc", directions, betas)


def body_sizes(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """The sum of the lengths of all bones [N], metres, of betas [N, 10]."""
    joints = rest_joints(model, betas)
    return np.linalg.norm(joints[:, 1:] - joints[:, model.parents[1:]], axis=-1).sum(1)


def write_motion(stem: Path, model: BodyModel, motion: Motion) -> None:
    """Write {stem}.glb with one animation, {stem}.bvh, and {stem}.npz in the layout of AMASS."""
    values = (model, motion.betas, motion.pose, motion.translation, motion.frame_rate)
    write_rigged(f"{stem}.glb", *values)
    write_bvh(f"{stem}.bvh", *values)
    write_amass(f"{stem}.npz", *values, first_frame=motion.first_frame)
