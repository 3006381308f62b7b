"""Human3.6M's original files of the test persons -> images of every fifth frame, and the tables of both protocols.

Human3.6M: Ionescu et al., TPAMI 2014. A sample is a sequence seen by a camera, `<action>.<camera>`. Its joints lie in
`MyPoseFeatures/D3_Positions_mono/*.cdf` (32 joints in millimetres before the camera), its boxes in
`MySegmentsMat/ground_truth_bb/*.mat` (a mask for each frame, of ones in the box), its frames in `Videos/*.mp4`.
Protocol 1 takes all cameras, protocol 2 the frontal one; they share the images. The tables have no 2-D joints: the
protocols need none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from datasets.preprocess import mocap
from datasets.preprocess.preparation import Plan, Preparation
from datasets.preprocess.samples import Incomplete, centre_and_scale
from datasets.preprocess.tables import Layout
from datasets.registry import BRING_IT
from utils.array_files.cdf import load_cdf
from utils.array_files.hdf5 import array_of, open_hdf5
from utils.array_files.pickles import as_floats
from utils.errors import UserError, warn
from utils.joints import H36M_SKELETON, MOCAP_JOINTS, indices
from utils.media.image_files import image_size
from utils.optional_packages import import_package

SUBJECTS = ("S9", "S11")  # the persons of the test
FRONTAL_CAMERA = "60457274"  # of protocol 2
ALL_ACTIONS = "_ALL"  # a file that holds all sequences once more
FRAME_STEP = 5
IMAGES = "images"
JOINTS_FOLDER, BOXES_FOLDER, VIDEOS_FOLDER = (
    "MyPoseFeatures/D3_Positions_mono",
    "MySegmentsMat/ground_truth_bb",
    "Videos",
)
ADVICE = "Download this sequence of Human3.6M again."
LAYOUT = Layout("sequence", ("sequence", "imgname", "center", "scale", "S"))


@dataclass(frozen=True)
class Sequence:
    """The files of the sample `name`, `<subject>/<action>.<camera>`, below the data set's folder `root`."""

    root: Path
    name: str

    def _file(self, folder: str, ending: str) -> Path:
        subject, stem = self.name.split("/", 1)
        return self.root / subject / folder / f"{stem}{ending}"

    @property
    def joints(self) -> Path:
        """The .cdf of the joints."""
        return self._file(JOINTS_FOLDER, ".cdf")

    @property
    def boxes(self) -> Path:
        """The .mat of the boxes."""
        return self._file(BOXES_FOLDER, ".mat")

    @property
    def video(self) -> Path:
        """The .mp4."""
        return self._file(VIDEOS_FOLDER, ".mp4")

    def image(self, frame: int) -> str:
        """The image of a frame, counted from 0, below the data set's folder; its own name counts from 1."""
        return f"{IMAGES}/{self.name.replace('/', '_').replace(' ', '_')}_{frame + 1:06d}.jpg"


def sequence_names(root: Path, cameras: tuple[str, ...]) -> list[str]:
    """The samples `<subject>/<action>.<camera>` of these cameras, or of all if none are given, without `_ALL`."""
    names = []
    for subject in SUBJECTS:
        folder = root / subject / JOINTS_FOLDER
        stems = [path.stem for path in mocap.files_ending(folder, ".cdf")]
        if not stems:
            warn(f"{folder} holds no .cdf: the table lacks {subject}, and its figures are not those of the protocol.")
        chosen = [stem for stem in stems if not cameras or stem.rpartition(".")[2] in cameras]
        names += [f"{subject}/{stem}" for stem in chosen if not stem.startswith(ALL_ACTIONS)]
    if not names:
        of_cameras = f" of camera {', '.join(cameras)}" if cameras else ""
        raise UserError(f"{root} holds no <S9 or S11>/{JOINTS_FOLDER}/*.cdf{of_cameras}; see data/README.md.")
    return names


def read_joints(path: Path) -> np.ndarray:
    """The MOCAP_JOINTS of all frames [T, 17, 3], metres, relative to the pelvis."""
    values = as_floats(path, "Pose", load_cdf(path, "Pose", ADVICE))
    width = 3 * len(H36M_SKELETON)
    if values.ndim not in (2, 3) or values.shape[-1] != width or values.size != max(values.shape[:-1]) * width:
        raise UserError(f"{path} has Pose of shape {values.shape}, expected (1, frames, {width}). {ADVICE}")
    joints = values.reshape(-1, len(H36M_SKELETON), 3)[:, indices(MOCAP_JOINTS, H36M_SKELETON)] / mocap.MILLIMETRES
    return joints - joints[:, [MOCAP_JOINTS.index("pelvis")]]


@dataclass(frozen=True)
class Box:
    """The extent of the ones of a mask: corners low and high, (x, y) px; shape is the mask's (height, width).

    The corners are those of the pixels, so a box of one pixel is one pixel wide.
    """

    low: np.ndarray
    high: np.ndarray
    shape: tuple[int, int]

    def in_image(self, height: int, width: int) -> "Box":
        """This box of an image of that size: transposed if the mask has the image's sides exchanged.

        MATLAB's files hold a mask's columns one after the other. Other programs may have written its rows.
        """
        if self.shape == (height, width) or self.shape != (width, height):
            return self
        return Box(self.low[::-1], self.high[::-1], (height, width))


def read_boxes(path: Path, frames: range) -> Iterator[tuple[int, Box]]:
    """Yield (frame, box) of the boxes in a file, with one mask in memory at a time.

    Frames whose mask is missing or has no ones are left out.
    """
    with open_hdf5(path, str(path), ADVICE) as file:
        masks = array_of(file["Masks"]).ravel() if hasattr(file.get("Masks"), "dtype") else np.zeros(0)
        if not masks.dtype.hasobject:
            raise UserError(f"{path} has no Masks, a list of masks. {ADVICE}")
        for frame in frames:
            if frame >= len(masks):
                return
            mask = array_of(file[masks[frame]]).T  # HDF5 has MATLAB's axes in the opposite order
            if mask.ndim != 2 or mask.dtype.hasobject:
                raise UserError(f"{path} has a mask of shape {mask.shape} of frame {frame}, expected 2 axes. {ADVICE}")
            rows, columns = np.flatnonzero((mask > 0).any(axis=1)), np.flatnonzero((mask > 0).any(axis=0))
            if len(rows):
                low, high = np.array([columns[0], rows[0]], float), np.array([columns[-1], rows[-1]], float)
                yield frame, Box(low, high + 1, (mask.shape[0], mask.shape[1]))


@dataclass(frozen=True)
class RowsOfSequence:
    """Make the npz rows of a sample, called with its name, and the images of their frames: columns [n, ...]."""

    root: Path

    def __call__(self, name: str) -> dict | Incomplete:
        sequence = Sequence(self.root, name)
        joints = read_joints(mocap.with_ending(sequence.joints))
        frames = range(0, len(joints), FRAME_STEP)
        boxes = dict(read_boxes(mocap.with_ending(sequence.boxes), frames))
        finite = {frame for frame in frames if np.isfinite(joints[frame]).all()}
        wanted = sorted(finite & boxes.keys())
        video = mocap.with_ending(sequence.video)
        images = {frame: self.root / sequence.image(frame) for frame in wanted}
        there = mocap.extract_frames(video, images, ADVICE)
        lacks = (
            (set(frames) - finite, f"{sequence.joints} has joints that are not finite numbers in"),
            (finite - boxes.keys(), f"{sequence.boxes} has no box in"),
            (set(wanted) - there, f"{video} has fewer frames than the annotations: it lacks"),
        )
        faults = [f"{what} {mocap.few(missing)}. {ADVICE}" for missing, what in lacks if missing]
        rows = [self._row(sequence.image(frame), joints[frame], boxes[frame]) for frame in wanted if frame in there]
        return mocap.table_of(rows, faults, "it has no frames", sequence=name)

    def _row(self, image: str, joints: np.ndarray, box: Box) -> dict:
        box = box.in_image(*image_size(self.root / image, ADVICE))
        centre, scale = centre_and_scale(box.low, box.high, margin=1.0)  # these boxes have a margin already
        return {"imgname": image, "center": centre, "scale": scale, "S": mocap.training_joints(joints, MOCAP_JOINTS)}


def last_change(root: Path, name: str) -> float:
    """Time of the last change to the files of a sample; infinite if joints or boxes are missing."""
    sequence = Sequence(root, name)
    return mocap.change_of((sequence.joints, sequence.boxes), (sequence.video,))


class Human36M(Preparation):
    """The preparation of a protocol of Human3.6M: its table, and the images."""

    cameras: tuple[str, ...] = ()  # all

    def plan(self, split: str) -> Plan:
        """Every fifth frame of the sequences of S9 and S11."""
        for package in ("cdflib", "h5py"):
            import_package(package, self.name)
        names = sequence_names(self.root, self.cameras)
        is_current = partial(mocap.have_images, self.root)
        return Plan(LAYOUT, names, RowsOfSequence(self.root), partial(last_change, self.root), is_current)


class Human36MTraining(Preparation):
    """The training set, whose table users bring: only IUV images are made here, of its meshes."""

    name = "h36m"

    def plan(self, split: str) -> Plan:
        """Raise UserError: the poses that MoSh fitted to these videos are not public."""
        raise UserError(
            f"{self.npz_file(split)} cannot be made from public files. {BRING_IT} Then give --gt_iuv alone."
        )


class Human36MProtocol1(Human36M):
    """All cameras."""

    name = "h36m-p1"


class Human36MProtocol2(Human36M):
    """The frontal camera alone."""

    name = "h36m-p2"
    cameras = (FRONTAL_CAMERA,)
