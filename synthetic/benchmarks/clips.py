"""What the synthetic motion-capture sets share: where joints are, cameras around a person, and which files are kept.

A sequence is written by one process. What is known about it is kept in `truth/<sequence>.npz` of the data set's folder;
it is written last and marks the sequence as complete, so an interrupted run continues.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from synthetic.benchmarks.people import TRUTH
from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import Take
from synthetic.photographs.view import world_to_camera
from utils.body_model import pose_vertices
from utils.errors import UserError
from utils.files import make_folder, write_npz
from utils.joints import SMPL_JOINTS, TRAINING_JOINTS
from utils.workers import run_in_processes

MILLIMETRES = 1000.0  # per metre
# Data set -> number of its first sequence in the collection of a seed; those of people.py are below 550 000.
STREAMS = {"h36m": 560_000, "mpi_inf_3dhp": 570_000, "mpi_inf_3dhp_test": 580_000, "pw3d": 590_000}
# joints of a skeleton that the body model lacks -> a joint near them
STAND_INS = {
    "root": "pelvis", "upper_neck": "neck", "left_neck": "neck", "spine4": "spine3", "toes": "foot", "toe_tip": "foot",
    "thumb": "hand", "thumb_tip": "hand", "hand_tip": "hand",
}  # fmt: skip


def skeleton(stage: Stage, take: Take, frame: int, names: tuple[str, ...]) -> np.ndarray:
    """Joints [J, 3] before the camera, metres: training joints, by the training regressor, or else SMPL's of the name.

    The mesh of a frame has no error in these training joints.
    """
    vertices = pose_vertices(stage.model, take.pose[frame], take.betas)
    places = dict(zip(SMPL_JOINTS, stage.regressors.smpl(vertices), strict=True))
    places |= dict(zip(TRAINING_JOINTS, stage.regressors.train_rows @ vertices, strict=True))
    return np.array([places[_known(name)] for name in names]) + take.place[frame]


def _known(name: str) -> str:
    if name in STAND_INS:
        return STAND_INS[name]
    side, _, plain = name.partition("_")
    return f"{side}_{STAND_INS[plain]}" if plain in STAND_INS else name


def project(take: Take, points: np.ndarray) -> np.ndarray:
    """Pixels [..., 2] of points [..., 3] before the camera, metres."""
    return take.lens.focal * points[..., :2] / points[..., 2:] + np.array(take.lens.centre)


def body_box(stage: Stage, take: Take, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest pixel (x, y) of the body inside the frame, whole numbers."""
    vertices = pose_vertices(stage.model, take.pose[frame], take.betas) + take.place[frame]
    places, limit = np.rint(project(take, vertices)), (take.lens.width - 1, take.lens.height - 1)
    return places.min(axis=0).clip(0, limit).astype(int), places.max(axis=0).clip(0, limit).astype(int)


def seen_from(take: Take, degrees: float) -> Take:
    """The same movement, seen by a camera that stands elsewhere on a circle around the person."""
    upright = Rotation.from_matrix(world_to_camera(0, 0))
    turn = upright * Rotation.from_euler("y", degrees, degrees=True) * upright.inv()
    pose = take.pose.copy()
    pose[:, :3] = (turn * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    return replace(take, pose=pose)


def truth_file(folder: Path, name: str) -> Path:
    """What is known about the sequence `name`, `S9/Directions 1` or another."""
    return folder / TRUTH / f"{name.replace('/', '_')}.npz"


def write_sequences(
    folder: Path, parts: tuple[str, ...], names: list[str], job: Callable[[int], dict], workers: int, label: str
) -> None:
    """Write the missing sequences.

    parts: what is written into, below the folder. job: writes the files of a sequence, called with its number, and
    returns arrays for its truth file; picklable. UserError if one of the parts is there and was not made here.
    """
    held = [folder / part for part in parts if (folder / part).exists()]
    if held and not (folder / TRUTH).is_dir():
        raise UserError(
            f"{held[0]} was not made here and is left as it is. Choose another folder with --data_dir, or leave out "
            f"--{label}."
        )
    make_folder(folder / TRUTH)
    missing = [number for number, name in enumerate(names) if not truth_file(folder, name).is_file()]
    written = run_in_processes(job, missing, workers, one_thread=True)
    progress = tqdm(zip(missing, written, strict=True), label, len(missing), unit="sequence", disable=not missing)
    for number, known in progress:
        write_npz(truth_file(folder, names[number]), **known)
