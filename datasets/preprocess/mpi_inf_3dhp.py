"""MPI-INF-3DHP's original files -> images of the training frames that are taken, and the tables of both splits.

MPI-INF-3DHP: Mehta et al., 3DV 2017. A training sample is a video, `S<person>/Seq<number>/imageSequence/video_<k>.avi`;
the joints of all videos of a sequence lie in its `annot.mat` (annot2 px, annot3 mm before the camera). Of all frames of
the data set that show the 17 joints, in the order of persons, sequences, videos and frames, every tenth is taken: the
first, the eleventh and so on. A test sample is a folder `TS<number>` with its images and `annot_data.mat`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from datasets.preprocess import mocap
from datasets.preprocess.preparation import TRAIN, Plan, Preparation
from datasets.preprocess.samples import Incomplete, centre_and_scale
from datasets.preprocess.tables import Layout
from utils.array_files.matlab import read_cells, read_mat
from utils.errors import UserError, warn
from utils.joints import MOCAP_JOINTS, MPI_INF_3DHP_SKELETON, MPI_INF_3DHP_TEST, indices
from utils.media.image_files import image_size
from utils.optional_packages import import_package

SEQUENCES = tuple(f"S{person}/Seq{number}" for person in range(1, 9) for number in (1, 2))
VIDEOS = (0, 1, 2, 4, 5, 6, 7, 8)  # cameras at chest height
SIDE = 2048  # px, of the training videos
TAKEN = 10  # every tenth frame that shows all joints
TEST_SEQUENCES = tuple(f"TS{number}" for number in range(1, 7))
TEST_FOLDERS = ("mpi_inf_3dhp_test_set", ".")  # the name of the download; or its content beside the training data
ADVICE = "Download this sequence of MPI-INF-3DHP again."
LAYOUT = Layout("sequence", ("sequence", "imgname", "center", "scale", "part", "S"))
PELVIS = MOCAP_JOINTS.index("pelvis")


def person_row(image: str, pixels: np.ndarray, joints: np.ndarray) -> dict:
    """The npz row of an image: MOCAP_JOINTS as pixels [17, 2] px and joints [17, 3] mm."""
    centre, scale = centre_and_scale(pixels.min(axis=0), pixels.max(axis=0))
    metres = (joints - joints[PELVIS]) / mocap.MILLIMETRES
    return {
        "imgname": image,
        "center": centre,
        "scale": scale,
        "part": mocap.training_joints(pixels, MOCAP_JOINTS),
        "S": mocap.training_joints(metres, MOCAP_JOINTS),
    }


def lie_inside(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether all joints [..., J, 2] px lie inside an image of this size: [...]; NaN lies outside."""
    return ((pixels >= 0) & (pixels < (width, height))).all(axis=(-2, -1))


# ---- training ----


def annotations(root: Path, sequence: str) -> Path:
    """The annot.mat of a training sequence."""
    return mocap.with_ending(root / sequence / "annot.mat")


def read_training_joints(path: Path, name: str, axes: int) -> list[np.ndarray]:
    """The MOCAP_JOINTS of each video [T, 17, axes] of annot2 (axes 2, px) or annot3 (axes 3, mm)."""
    cells = read_cells(path, name, ADVICE)
    if len(cells) <= max(VIDEOS):
        raise UserError(f"{path} has {name} of {len(cells)} videos, expected 14. {ADVICE}")
    joints, chosen = [], indices(MOCAP_JOINTS, MPI_INF_3DHP_SKELETON)
    for video, values in enumerate(cells):
        if values.ndim != 2 or values.shape[1] != axes * len(MPI_INF_3DHP_SKELETON):
            raise UserError(
                f"{path} has {name} of shape {values.shape} for video {video}, expected (frames, "
                f"{axes * len(MPI_INF_3DHP_SKELETON)}). {ADVICE}"
            )
        joints.append(values.reshape(len(values), len(MPI_INF_3DHP_SKELETON), axes)[:, chosen])
    return joints


def taken_frames(root: Path, sequences: Sequence[str]) -> dict[str, list[int]]:
    """Sample `<sequence>/video_<k>` -> the frames that are taken, counted from 0; nothing for damaged annotations."""
    taken, count = {}, 0
    for sequence in sequences:
        try:
            joints = read_training_joints(annotations(root, sequence), "annot2", 2)
        except UserError:
            continue  # the samples read it again, and report the error
        for video in VIDEOS:
            inside = np.flatnonzero(lie_inside(joints[video], SIDE, SIDE))
            taken[sample_name(sequence, video)] = inside[-count % TAKEN :: TAKEN].tolist()
            count += len(inside)
    return taken


def sample_name(sequence: str, video: int) -> str:
    """`S1/Seq1/video_0`."""
    return f"{sequence}/video_{video}"


def training_video(root: Path, name: str) -> Path:
    """The video of a sample."""
    sequence, video = name.rsplit("/", 1)
    return mocap.with_ending(root / sequence / "imageSequence" / f"{video}.avi")


def training_image(name: str, frame: int) -> str:
    """The image of a frame, counted from 0, below the data set's folder; its own name counts from 1."""
    sequence, video = name.rsplit("/", 1)
    return f"{sequence}/imageFrames/{video}/frame_{frame + 1:06d}.jpg"


@dataclass(frozen=True)
class RowsOfVideo:
    """Make the npz rows of a training video, called with its sample's name, and the images: columns [n, ...]."""

    root: Path
    taken: dict[str, list[int]]

    def __call__(self, name: str) -> dict | Incomplete:
        sequence, video = name.rsplit("/video_", 1)
        path = annotations(self.root, sequence)
        pixels = read_training_joints(path, "annot2", 2)[int(video)]
        joints = read_training_joints(path, "annot3", 3)[int(video)]
        if len(pixels) != len(joints):
            raise UserError(f"{path} has {len(pixels)} frames in annot2, {len(joints)} in annot3. {ADVICE}")
        frames = self.taken[name]
        finite = {frame for frame in frames if np.isfinite(joints[frame]).all()}
        file = training_video(self.root, name)
        images = {frame: self.root / training_image(name, frame) for frame in sorted(finite)}
        there = mocap.extract_frames(file, images, ADVICE)
        lacks = (
            (set(frames) - finite, f"{path} has annot3 that are not finite numbers in"),
            (finite - there, f"{file} has fewer frames than the annotations: it lacks"),
        )
        faults = [f"{what} {mocap.few(missing)}. {ADVICE}" for missing, what in lacks if missing]
        rows = [
            person_row(training_image(name, frame), pixels[frame], joints[frame]) for frame in frames if frame in there
        ]
        return mocap.table_of(rows, faults, "no frame of it is taken", sequence=name)


# ---- test ----


def folders_of_test(root: Path) -> list[str]:
    """The folders of the test sequences below the data set's folder, as `mpi_inf_3dhp_test_set/TS1` or `TS1`."""
    places = [[(Path(folder) / sequence).as_posix() for folder in TEST_FOLDERS] for sequence in TEST_SEQUENCES]
    found = [next((name for name in names if (root / name).is_dir()), "") for names in places]
    lacking = [sequence for sequence, name in zip(TEST_SEQUENCES, found, strict=True) if not name]
    if len(lacking) == len(TEST_SEQUENCES):
        raise UserError(f"{root} holds no TS1 to TS6. Put the test set there; see data/README.md.")
    if lacking:
        warn(f"{root} has no {', '.join(lacking)}: figures of this table are not those of the whole test set.")
    return [name for name in found if name]


def annotations_of_test(root: Path, name: str) -> Path:
    """The annot_data.mat of a test sequence."""
    return mocap.with_ending(root / name / "annot_data.mat")


def read_test_joints(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all frames: MOCAP_JOINTS as pixels [T, 17, 2] px and as joints [T, 17, 3] mm, and valid [T] bool."""
    content = read_mat(path, ("annot2", "univ_annot3", "valid_frame"), ADVICE)
    valid = content["valid_frame"].ravel() > 0
    chosen, found = indices(MOCAP_JOINTS, MPI_INF_3DHP_TEST), []
    for name, axes in (("annot2", 2), ("univ_annot3", 3)):
        values = content[name]
        expected = (axes, len(MPI_INF_3DHP_TEST), 1, len(valid))  # MATLAB's; it drops a last axis of length 1
        if values.shape not in (expected, (*expected[:2], len(valid)), expected[:2] if len(valid) == 1 else expected):
            raise UserError(f"{path} has {name} of shape {values.shape}, expected {expected}. {ADVICE}")
        found.append(values.reshape(axes, len(MPI_INF_3DHP_TEST), len(valid)).transpose(2, 1, 0)[:, chosen])
    return found[0], found[1], valid


@dataclass(frozen=True)
class RowsOfTestSequence:
    """Make the npz rows of a test sequence, called with its folder's name: columns [n, ...]."""

    root: Path

    def __call__(self, name: str) -> dict | Incomplete:
        path = annotations_of_test(self.root, name)
        pixels, joints, valid = read_test_joints(path)
        frames = np.flatnonzero(valid).tolist()
        folder = mocap.ImageFolder(self.root / name / "imageSequence")
        images = folder.require([f"img_{frame + 1:06d}.jpg" for frame in frames], ADVICE)
        rows, undefined = [], set()
        for frame, image in zip(frames, images, strict=True):
            if not lie_inside(pixels[frame], *image_size(folder.folder / image, ADVICE)):
                continue
            if np.isfinite(joints[frame]).all():
                rows.append(person_row(f"{name}/imageSequence/{image}", pixels[frame], joints[frame]))
            else:
                undefined.add(frame)
        what = f"{path} has univ_annot3 that are not finite numbers in"
        faults = [f"{what} {mocap.few(undefined)}. {ADVICE}"] if undefined else []
        return mocap.table_of(rows, faults, "no valid frame shows all joints", sequence=name)


class MpiInf3dhp(Preparation):
    """The preparation of MPI-INF-3DHP: tables of both splits, the images and IUV images of the training frames."""

    name = "mpi-inf-3dhp"

    def plan(self, split: str) -> Plan:
        """Every tenth training frame that shows all joints, or the valid test frames that do."""
        return self._training_plan() if split == TRAIN else self._test_plan()

    def _training_plan(self) -> Plan:
        sequences = [sequence for sequence in SEQUENCES if (self.root / sequence).is_dir()]
        lacking = [sequence for sequence in SEQUENCES if sequence not in sequences]
        if not sequences:
            raise UserError(f"{self.root} holds no S1/Seq1 to S8/Seq2. Put {self.name} there; see data/README.md.")
        if lacking:
            warn(f"{self.root} has no {', '.join(lacking)}: SPIN's download has fits of all sequences, and is refused.")
        names = [sample_name(sequence, video) for sequence in sequences for video in VIDEOS]
        taken = taken_frames(self.root, sequences)
        return Plan(
            LAYOUT, names, RowsOfVideo(self.root, taken), partial(change_of_training, self.root),
            partial(_is_current, self.root, taken),
        )  # fmt: skip

    def _test_plan(self) -> Plan:
        import_package("h5py", self.name)
        names = folders_of_test(self.root)
        is_current = partial(mocap.have_images, self.root)
        return Plan(LAYOUT, names, RowsOfTestSequence(self.root), partial(change_of_test, self.root), is_current)


def change_of_training(root: Path, name: str) -> float:
    """Time of the last change to the annotations and the video of a sample; infinite without annotations."""
    return mocap.change_of([annotations(root, name.rsplit("/", 1)[0])], [training_video(root, name)])


def change_of_test(root: Path, name: str) -> float:
    """Time of the last change to the annotations of a test sequence; infinite without them."""
    return mocap.change_of([annotations_of_test(root, name)])


def _is_current(root: Path, taken: dict[str, list[int]], rows: dict) -> bool:
    """Whether the rows are of frames that are taken still: sequences that were added shift those of later ones."""
    name = str(rows["sequence"][0])
    images = {training_image(name, frame) for frame in taken.get(name, [])}
    return images.issuperset(rows["imgname"].tolist()) and mocap.have_images(root, rows)
