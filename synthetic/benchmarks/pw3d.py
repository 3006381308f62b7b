"""A synthetic 3DPW: a moving camera sees one person, or in every second sequence two, of both genders."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.benchmarks.clips import STREAMS, project, skeleton, write_sequences
from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import FEMALE, MALE, Lens, Take, film_people, stage_take
from synthetic.stages import Collection, Studio
from utils.body_model import pose_vertices
from utils.files import write_bytes, write_jpeg
from utils.joints import OPENPOSE_18, ROOT

SEQUENCES, IMAGES = "sequenceFiles/test", "imageFiles"
FRAMES = 21
LOST = range(8, 11)  # frames in which the camera's pose is unknown
MOST = 1000
LENS = Lens(1000.0, (180.0, 240.0), 480, 360)
APART = 0.35  # metres from the middle, of each of two people
BEHIND = 0.8  # metres that the second person stands farther away
GENDERS = {FEMALE: "f", MALE: "m"}


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` sequences of the test split."""
    write_sequences(folder, ("sequenceFiles", IMAGES), names(count), _Recorder(folder, collection), workers, "pw3d")


def names(count: int) -> list[str]:
    """The first `count` sequences."""
    return [f"generated_{number:02d}" for number in range(count)]


@dataclass(frozen=True)
class _Recorder(Studio):
    """Film and write one sequence, called with its number; each process opens its own stages."""

    def __call__(self, number: int) -> dict:
        index = STREAMS["pw3d"] + 2 * number
        people = [self._person(index)] if number % 2 else place_apart([self._person(index), self._person(index + 1)])
        name = names(number + 1)[-1]
        for frame, picture in enumerate(film_people(people, self.seed, index)):
            write_jpeg(self.folder / IMAGES / name / f"image_{frame:05d}.jpg", picture)
        rng = np.random.default_rng([self.seed, index, 3])
        content = recording(name, people, moving_camera(rng, FRAMES))
        write_bytes(self.folder / SEQUENCES / f"{name}.pkl", python_2_pickle(content))
        takes = [take for _, take in people]
        return {key: np.array([getattr(take, key) for take in takes]) for key in ("pose", "betas", "place", "gender")}

    def _person(self, index: int) -> tuple[Stage, Take]:
        # pairs of a woman and a man; who is alone alternates
        stage = self.stages[(index // 2 + index % 2 + index // 4) % 2]
        take = stage_take(stage.model, self.seed, index, FRAMES, LENS, leaves=False)
        return stage, replace(take, gender=next(gender for gender, own in self.stages.items() if own is stage))


def place_apart(people: list[tuple[Stage, Take]]) -> list[tuple[Stage, Take]]:
    """Two people beside each other on one floor, the second farther away."""
    (left_stage, left), (right_stage, right) = people
    floors = [
        (pose_vertices(stage.model, take.pose[0], take.betas)[:, 1] + take.place[0, 1]).max() for stage, take in people
    ]
    depth = left.place[:, 2] + BEHIND
    shift = np.array([APART, floors[0] - floors[1], 0.0])
    moved = right.place + shift
    moved[:, 2] = depth
    return [(left_stage, replace(left, place=left.place - (APART, 0, 0))), (right_stage, replace(right, place=moved))]


def moving_camera(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Camera poses [T, 4, 4], from a world with y up to the camera: it turns, tilts and moves evenly."""
    start, change = rng.uniform(-60, 60, 3) * (1, 0.2, 0.2), rng.uniform(-20, 20, 3)
    angles = start + np.linspace(0, 1, frames)[:, None] * change
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = (Rotation.from_euler("yxz", angles, degrees=True) * Rotation.from_euler("x", np.pi)).as_matrix()
    poses[:, :3, 3] = rng.uniform(-1, 1, 3) + np.linspace(0, 1, frames)[:, None] * rng.uniform(-0.5, 0.5, 3)
    return poses


def recording(name: str, people: list[tuple[Stage, Take]], cameras: np.ndarray) -> dict:
    """The content of a sequence's pickle, for people before the camera and camera poses [T, 4, 4]."""
    lens = people[0][1].lens
    (x, y), count = lens.centre, len(cameras)
    valid = np.ones(count, np.int64)
    valid[[frame for frame in LOST if frame < count]] = 0
    stored = cameras.copy()
    stored[valid == 0] = np.eye(4)
    in_world = [world_motion(stage, take, cameras) for stage, take in people]
    return {
        "sequence": name,
        "genders": [GENDERS[take.gender] for _, take in people],
        "betas": [take.betas for _, take in people],
        "poses": [pose for pose, _ in in_world],
        "trans": [place for _, place in in_world],
        "poses2d": [keypoints(stage, take) for stage, take in people],
        "cam_poses": stored,
        "campose_valid": [valid for _ in people],
        "cam_intrinsics": np.array([[lens.focal, 0, x], [0, lens.focal, y], [0, 0, 1]]),
        "img_frame_ids": np.arange(count),
    }


def world_motion(stage: Stage, take: Take, cameras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses [T, 72] of the world, and what is added to their vertices [T, 3], metres.

    The body turns about its root joint at rest, so turning the posed body moves it.
    """
    rotations = Rotation.from_matrix(cameras[:, :3, :3])
    pose = take.pose.copy()
    pose[:, :3] = (rotations.inv() * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    root = stage.model.joint_regressor[ROOT] @ (stage.model.v_template + stage.model.shapedirs @ take.betas)
    return pose, rotations.inv().apply(take.place + root - cameras[:, :3, 3]) - root


def keypoints(stage: Stage, take: Take) -> np.ndarray:
    """Keypoints [T, 3, 18] = (x px, y px, confidence); 0 outside of the frame, as where nothing is detected."""
    found = np.zeros((len(take), 3, len(OPENPOSE_18)))
    for frame in range(len(take)):
        pixels = project(take, skeleton(stage, take, frame, OPENPOSE_18))
        inside = ((pixels >= 0) & (pixels <= (take.lens.width - 1, take.lens.height - 1))).all(axis=1)
        found[frame] = np.column_stack([pixels, np.ones(len(pixels))]).T * inside
    return found


def python_2_pickle(content: dict) -> bytes:
    """A pickle that Python 2 reads: protocol 2, which was its last."""
    return pickle.dumps(content, protocol=2)
