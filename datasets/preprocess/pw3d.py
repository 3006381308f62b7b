"""3DPW's original files -> the table of its test split.

3DPW: von Marcard et al., ECCV 2018. A sample is a sequence, `sequenceFiles/test/<sequence>.pkl`: a Python-2 pickle with
one or two persons. Its frames are `imageFiles/<sequence>/image_NNNNN.jpg`. Poses are of the world, and are turned to
the camera here. Frames without a valid camera pose, or without keypoints that give a box, are left out. The mesh is
that of the person's gender.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from datasets.preprocess import mocap
from datasets.preprocess.preparation import Plan, Preparation
from datasets.preprocess.samples import Incomplete, centre_and_scale
from datasets.preprocess.tables import Layout
from utils.array_files.pickles import as_floats, load_pickle
from utils.body_model import NUM_BETAS
from utils.errors import UserError
from utils.files import inside
from utils.joints import NUM_JOINTS, OPENPOSE_18
from utils.rotations import axis_angle, rotation_matrices

SEQUENCES, IMAGES = "sequenceFiles/test", "imageFiles"
GENDERS = {"m": "m", "male": "m", "f": "f", "female": "f"}
ADVICE = "Download this sequence of 3DPW again."
LAYOUT = Layout("sequence", ("sequence", "imgname", "center", "scale", "pose", "shape", "gender"))


@dataclass(frozen=True)
class Person:
    """A person in T frames: pose [T, 72] of the world, betas [10], gender 'm' or 'f', keypoints [T, 3, 18]
    = (x px, y px, confidence), and in which frames the camera pose is valid [T] bool."""

    pose: np.ndarray
    betas: np.ndarray
    gender: str
    keypoints: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Recording:
    """A sequence: its name, its persons, and the rotations [T, 3, 3] from the world to the camera."""

    name: str
    persons: list[Person]
    rotations: np.ndarray


def read_recording(path: Path) -> Recording:
    """Read a sequence's pickle; UserError names what is missing or has another shape."""
    content = load_pickle(path)
    needed = ("poses", "betas", "poses2d", "cam_poses", "genders", "campose_valid")
    missing = [key for key in needed if key not in content]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}. {ADVICE}")
    name = content.get("sequence", path.stem)
    name = name.decode("latin1") if isinstance(name, bytes) else str(name)
    inside(path.parent, name, path)  # it names a folder
    cameras = as_floats(path, "cam_poses", content["cam_poses"])
    if cameras.ndim != 3 or cameras.shape[1:] != (4, 4):
        raise UserError(f"{path} has cam_poses of shape {cameras.shape}, expected (frames, 4, 4). {ADVICE}")
    counts = {key: len(content[key]) for key in needed if key != "cam_poses"}
    if len(set(counts.values())) != 1 or not counts["poses"]:
        found = ", ".join(f"{key} of {count}" for key, count in counts.items())
        raise UserError(f"{path} has {found} persons, expected the same number, at least 1. {ADVICE}")
    persons = [_person(path, content, number, len(cameras)) for number in range(counts["poses"])]
    return Recording(name, persons, cameras[:, :3, :3])


def _person(path: Path, content: dict, number: int, frames: int) -> Person:
    shapes = {
        "poses": (frames, 3 * NUM_JOINTS), "poses2d": (frames, 3, len(OPENPOSE_18)), "campose_valid": (frames,),
    }  # fmt: skip
    arrays = {key: as_floats(path, key, content[key][number]) for key in (*shapes, "betas")}
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            found = f"{key} of shape {arrays[key].shape} for person {number}"
            raise UserError(f"{path} has {found}, expected {shape}. {ADVICE}")
    betas = arrays["betas"].ravel()[:NUM_BETAS]
    if len(betas) != NUM_BETAS or not np.isfinite(betas).all():
        raise UserError(f"{path} has betas of person {number} that are not {NUM_BETAS} finite numbers. {ADVICE}")
    word = content["genders"][number]
    word = word.decode("latin1") if isinstance(word, bytes) else str(word)
    if word.lower() not in GENDERS:
        raise UserError(f"{path} has the gender {word[:20]!r} for person {number}, expected m or f. {ADVICE}")
    return Person(arrays["poses"], betas, GENDERS[word.lower()], arrays["poses2d"], arrays["campose_valid"] > 0)


def keypoint_box(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Corners (low, high) [2] px of the visible keypoints of [3, 18]; None if they have no extent."""
    visible = keypoints[:2, keypoints[2] > 0]
    if visible.shape[1] < 2 or (np.ptp(visible, axis=1) <= 0).all():
        return None
    return visible.min(axis=1), visible.max(axis=1)


def pose_in_camera(pose: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Pose [72] of the world -> the same before the camera, whose rotation [3, 3] turns the root orientation."""
    return np.concatenate([axis_angle(rotation @ rotation_matrices(pose[:3])), pose[3:]])


@dataclass(frozen=True)
class RowsOfRecording:
    """Make the npz rows of a sequence, called with the name of its pickle: columns [n, ...], person after person."""

    root: Path

    def __call__(self, name: str) -> dict | Incomplete:
        recording = read_recording(self.root / SEQUENCES / name)
        folder = mocap.ImageFolder(self.root / IMAGES / recording.name)
        places, undefined = [], set()
        for person in recording.persons:
            for frame in np.flatnonzero(person.valid).tolist():
                box = keypoint_box(person.keypoints[frame])
                if box is None:
                    continue
                if all(np.isfinite(values).all() for values in (person.pose[frame], recording.rotations[frame], *box)):
                    places.append((person, frame, box))
                else:
                    undefined.add(frame)
        images = folder.require([f"image_{frame:05d}.jpg" for _, frame, _ in places], ADVICE)
        rows = [
            _row(f"{IMAGES}/{recording.name}/{image}", recording.rotations[frame], person, frame, box)
            for (person, frame, box), image in zip(places, images, strict=True)
        ]
        faults = [f"it has numbers that are not finite in {mocap.few(undefined)}. {ADVICE}"] if undefined else []
        return mocap.table_of(rows, faults, "no frame has a valid camera pose and visible keypoints", sequence=name)


def _row(image: str, rotation: np.ndarray, person: Person, frame: int, box: tuple[np.ndarray, np.ndarray]) -> dict:
    centre, scale = centre_and_scale(*box)
    pose = pose_in_camera(person.pose[frame], rotation)
    values = (image, centre, scale, pose, person.betas, person.gender)
    return dict(zip(LAYOUT.columns[1:], values, strict=True))


class PW3D(Preparation):
    """The preparation of 3DPW: the table of its test split."""

    name = "3dpw"

    def plan(self, split: str) -> Plan:
        """All sequences of sequenceFiles/test."""
        folder = self.root / SEQUENCES
        names = [path.name for path in mocap.files_ending(folder, ".pkl")]
        if not names:
            raise UserError(f"{folder} holds no .pkl. Put 3DPW there; see data/README.md.")
        is_current = partial(mocap.have_images, self.root)
        change = partial(last_change, self.root)
        return Plan(LAYOUT, names, RowsOfRecording(self.root), change, is_current)


def last_change(root: Path, name: str) -> float:
    """Time of the last change to a sequence's pickle."""
    return mocap.change_of([root / SEQUENCES / name])
