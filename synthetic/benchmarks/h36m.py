"""A synthetic Human3.6M: sequences of S9 and S11 before four cameras, as .cdf of joints, .mat of boxes and .mp4."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthetic.benchmarks.clips import MILLIMETRES, STREAMS, body_box, seen_from, skeleton, write_sequences
from synthetic.benchmarks.matlab import write_mat_of_cells
from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import Lens, Take, film_people, stage_take
from synthetic.stages import Collection, Studio
from utils.files import atomic_path
from utils.joints import H36M_SKELETON
from utils.media.video_files import write_frames
from utils.optional_packages import import_package

SUBJECTS = ("S9", "S11")
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "WalkTogether", "Walking",
)  # fmt: skip
CAMERAS = {"54138969": 90.0, "55011271": 180.0, "58860488": 270.0, "60457274": 0.0}  # -> degrees around the person
FRAMES = 21  # the original has a thousand and more
MOST = len(SUBJECTS) * len(ACTIONS) * 2
LENS = Lens(1145.0, (250.0, 250.0), 500, 500)  # the original has this focal length on 1000 px


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` sequences, of S9 and S11 in turn."""
    for package in ("cdflib", "h5py"):
        import_package(package, "--h36m")  # before hours of work
    write_sequences(folder, SUBJECTS, names(count), _Recorder(folder, collection), workers, "h36m")


def names(count: int) -> list[str]:
    """The first `count` sequences, as `S9/Directions 1`."""
    takes = [f"{action}{take}" for take in (" 1", "") for action in ACTIONS]
    return [f"{subject}/{take}" for take in takes for subject in SUBJECTS][:count]


@dataclass(frozen=True)
class _Recorder(Studio):
    """Film and write one sequence from all cameras, called with its number; each process opens its own stage."""

    def __call__(self, number: int) -> dict:
        index, name = STREAMS["h36m"] + number, names(MOST)[number]
        take = stage_take(self.stage.model, self.seed, index, FRAMES, LENS, leaves=False)
        takes = {camera: seen_from(take, degrees) for camera, degrees in CAMERAS.items()}
        for camera, seen in takes.items():
            frames = film_people([(self.stage, seen)], self.seed, index)
            write_view(self.folder, name, camera, self.stage, seen, frames)
        poses = np.array([seen.pose for seen in takes.values()])
        return {"camera": np.array(list(takes)), "pose": poses, "betas": take.betas}


def write_view(folder: Path, name: str, camera: str, stage: Stage, take: Take, frames) -> None:
    """Write the video, the boxes and the joints of the sequence `name`, `S9/Directions 1`, seen by a camera."""
    subject, action = name.split("/")
    person, stem = folder / subject, f"{action}.{camera}"
    write_frames(person / "Videos" / f"{stem}.mp4", frames)
    boxes = [box_mask(*body_box(stage, take, frame), take.lens) for frame in range(len(take))]
    write_mat_of_cells(person / "MySegmentsMat/ground_truth_bb" / f"{stem}.mat", {"Masks": boxes})
    joints = [skeleton(stage, take, frame, H36M_SKELETON) for frame in range(len(take))]
    write_joints(person / "MyPoseFeatures/D3_Positions_mono" / f"{stem}.cdf", MILLIMETRES * np.array(joints))


def box_mask(low: np.ndarray, high: np.ndarray, lens: Lens) -> np.ndarray:
    """A mask [H, W] uint8 of ones in the box between two pixels (x, y), and zeros elsewhere."""
    mask = np.zeros((lens.height, lens.width), np.uint8)
    mask[low[1] : high[1] + 1, low[0] : high[0] + 1] = 1
    return mask


def write_joints(path: Path, joints: np.ndarray) -> None:
    """Write joints [T, 32, 3] mm as the variable Pose [1, T, 96] of a .cdf."""
    cdf_writer: Callable = import_package("cdflib.cdfwrite", "--h36m").CDF
    values = joints.reshape(1, len(joints), -1).astype(np.float32)
    variable = {
        "Variable": "Pose",
        "Data_Type": 21,  # CDF_REAL4
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": list(values.shape[1:]),
    }
    with atomic_path(path) as temporary:
        file = cdf_writer(temporary, delete=True)
        file.write_var(variable, var_data=values)
        file.close()
