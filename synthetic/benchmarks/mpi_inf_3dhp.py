"""A synthetic MPI-INF-3DHP: training sequences before eight cameras with SPIN's fits, and test sequences.

Frames are smaller than the 2048 px of the original, which the calibration files tell.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from synthetic.benchmarks.clips import MILLIMETRES, STREAMS, project, seen_from, skeleton, truth_file, write_sequences
from synthetic.benchmarks.matlab import write_mat
from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import Lens, Take, film_people, stage_take
from synthetic.stages import Collection, Studio
from utils import config
from utils.files import atomic_path, read_npz, write_jpeg, write_npz, write_text
from utils.joints import MPI_INF_3DHP_SKELETON, MPI_INF_3DHP_TEST
from utils.media.video_files import write_frames
from utils.optional_packages import import_package

SEQUENCES = tuple(f"S{person}/Seq{number}" for person in range(1, 9) for number in (1, 2))
TEST_SEQUENCES = tuple(f"mpi_inf_3dhp_test_set/TS{number}" for number in range(1, 7))
NUM_VIDEOS = 14  # annotated in each sequence; the videos of those at chest height are written
WRITTEN = (0, 1, 2, 4, 5, 6, 7, 8)
FRAMES = 21
INVALID_EVERY = 7  # frames of a test sequence
MOST = len(SEQUENCES)
LENS = Lens(800.0, (192.0, 192.0), 384, 384)
# the last two test sequences were taken outdoors, with another camera
OUTDOOR_LENS = Lens(700.0, (240.0, 135.0), 270, 480)
TAKEN = 10  # SPIN has a fit of every tenth frame


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write the first `count` training sequences with SPIN's fits, and as many of the test sequences."""
    import_package("h5py", "--mpi_inf_3dhp")  # before hours of work
    sequences = [*SEQUENCES[:count], *TEST_SEQUENCES[:count]]
    parts = tuple(dict.fromkeys(name.split("/")[0] for name in (*SEQUENCES, *TEST_SEQUENCES)))
    write_sequences(folder, parts, sequences, _Recorder(folder, collection, sequences), workers, "mpi_inf_3dhp")
    write_fits(folder)


def write_fits(folder: Path) -> None:
    """Write SPIN's file of fits: the true bodies of every tenth frame of all training sequences that are there."""
    truth = [read_npz(path, "Delete it.") for name in SEQUENCES if (path := truth_file(folder, name)).is_file()]
    shapes = [np.broadcast_to(known["betas"], (*known["pose"].shape[:2], 10)).reshape(-1, 10) for known in truth]
    shape = np.concatenate(shapes)[::TAKEN]
    pose = np.concatenate([known["pose"].reshape(-1, 72) for known in truth])[::TAKEN]
    write_npz(config.SPIN_FITS / "mpi_inf_3dhp.npz", pose=pose, shape=shape, fit_joint_error=np.zeros(len(pose)))


@dataclass(frozen=True)
class _Recorder(Studio):
    """Film and write one sequence, called with its number; each process opens its own stage."""

    sequences: list[str]

    def __call__(self, number: int) -> dict:
        name = self.sequences[number]
        return self._test(name) if name in TEST_SEQUENCES else self._training(name)

    def _training(self, name: str) -> dict:
        index = STREAMS["mpi_inf_3dhp"] + SEQUENCES.index(name)
        take = stage_take(self.stage.model, self.seed, index, FRAMES, LENS, leaves=False)
        takes = [seen_from(take, degrees(video)) for video in range(NUM_VIDEOS)]
        for video in WRITTEN:
            path = self.folder / name / "imageSequence" / f"video_{video}.avi"
            write_frames(path, film_people([(self.stage, takes[video])], self.seed, index))
        write_annotations(self.folder / name, self.stage, takes)
        return {"pose": np.array([takes[video].pose for video in WRITTEN]), "betas": take.betas}

    def _test(self, name: str) -> dict:
        number = TEST_SEQUENCES.index(name)
        index, lens = STREAMS["mpi_inf_3dhp_test"] + number, OUTDOOR_LENS if number >= 4 else LENS
        take = stage_take(self.stage.model, self.seed, index, FRAMES, lens)
        for frame, picture in enumerate(film_people([(self.stage, take)], self.seed, index)):
            write_jpeg(self.folder / name / "imageSequence" / f"img_{frame + 1:06d}.jpg", picture)
        valid = np.arange(1, FRAMES + 1) % INVALID_EVERY > 0
        write_test_annotations(self.folder / name / "annot_data.mat", self.stage, take, valid)
        return {"pose": take.pose, "betas": take.betas}


def degrees(video: int) -> float:
    """Where the camera of a video stands on the circle around the person."""
    return 360.0 * video / NUM_VIDEOS


def write_annotations(folder: Path, stage: Stage, takes: list[Take]) -> None:
    """Write annot.mat and camera.calibration of a training sequence; takes: as each camera sees it."""
    joints = [
        np.array([skeleton(stage, take, frame, MPI_INF_3DHP_SKELETON) for frame in range(len(take))]) for take in takes
    ]
    pixels = [project(take, points) for take, points in zip(takes, joints, strict=True)]
    content = {
        "annot2": _cells(pixels),
        "annot3": _cells([MILLIMETRES * points for points in joints]),
        "univ_annot3": _cells([MILLIMETRES * points for points in joints]),
        "cameras": np.arange(len(takes), dtype=np.uint8)[None],
        "frames": np.arange(len(takes[0]), dtype=np.int32)[:, None],
    }
    write_text(folder / "camera.calibration", calibration([take.lens for take in takes]))
    with atomic_path(folder / "annot.mat") as temporary:
        scipy.io.savemat(temporary, content, do_compression=True)


def _cells(arrays: list[np.ndarray]) -> np.ndarray:
    """A column of cells, one for each camera: joints [T, J, d] as [T, J * d]."""
    cells = np.empty((len(arrays), 1), object)
    for camera, array in enumerate(arrays):
        cells[camera, 0] = array.reshape(len(array), -1)
    return cells


def calibration(lenses: list[Lens]) -> str:
    """The text of camera.calibration; joints are given before each camera, so no camera is turned."""
    lines = ["Skeletool Camera Calibration File V1.0"]
    for camera, lens in enumerate(lenses):
        (x, y), focal = lens.centre, lens.focal
        lines += [
            f"name          {camera}",
            "  sensor      10 10",
            f"  size        {lens.width} {lens.height}",
            "  animated    0",
            f"  intrinsic   {focal} 0 {x} 0 0 {focal} {y} 0 0 0 1 0 0 0 0 1",
            "  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
            "  radial      0",
        ]
    return "\n".join([*lines, ""])


def write_test_annotations(path: Path, stage: Stage, take: Take, valid: np.ndarray) -> None:
    """Write annot_data.mat of a test sequence; valid: of which frames [T]."""
    joints = np.array([skeleton(stage, take, frame, MPI_INF_3DHP_TEST) for frame in range(len(take))])
    in_millimetres = MILLIMETRES * joints.transpose(2, 1, 0)[:, :, None]
    content = {
        "annot2": project(take, joints).transpose(2, 1, 0)[:, :, None],
        "annot3": in_millimetres,
        "univ_annot3": in_millimetres,
        "valid_frame": valid[None].astype(np.float64),
    }
    write_mat(path, content)
