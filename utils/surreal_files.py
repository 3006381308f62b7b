"""SURREAL's annotations of a video as they are stored, and its camera (Varol et al., CVPR 2017).

Its Blender camera mirrors left and right. Its world has z to the right, y down and x towards the viewer of the
un-mirrored picture.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.array_files.matlab import read_mat
from utils.errors import UserError
from utils.joints import NUM_JOINTS

HEIGHT, WIDTH = 240, 320
WORLD_TO_CAMERA = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # +90 degrees about x: motion capture has z up
MAT_GENDERS = ("f", "m")  # of the values 0 and 1
RENEW_ADVICE = "Download the video and its annotations again."
# what a video's .mat must hold; T frames
INFO_SHAPES = {
    "pose": (72, "T"), "shape": (10, "T"), "joints2D": (2, NUM_JOINTS, "T"), "joints3D": (3, NUM_JOINTS, "T"),
}  # fmt: skip


@dataclass(frozen=True)
class Info:
    """Annotations of a video, frames first.

    pose [T, 72], shape [T, 10], joints2d [T, 24, 2] px of the mirrored frame, joints3d [T, 24, 3] metres
    of the world, gender 'm' or 'f', zrot [T] radians.
    """

    pose: np.ndarray
    shape: np.ndarray
    joints2d: np.ndarray
    joints3d: np.ndarray
    gender: str
    zrot: np.ndarray

    def __len__(self) -> int:
        return len(self.pose)


def info_file(video: Path) -> Path:
    """The annotations of a video, beside it."""
    return video.with_name(f"{video.stem}_info.mat")


def read_info(path: Path) -> Info:
    """Read an `_info.mat`; UserError names values that are missing, have another shape or are not finite numbers.

    Matlab drops the frame axis of arrays with one frame; it is added again.
    """
    content = read_mat(path, (*INFO_SHAPES, "gender", "zrot"), RENEW_ADVICE)
    zrot = content["zrot"].ravel()
    arrays = {key: _frames_first(path, key, content[key], shape, len(zrot)) for key, shape in INFO_SHAPES.items()}
    genders = np.unique(content["gender"])
    if genders.tolist() not in ([0], [1]):
        found = ", ".join(f"{gender:g}" for gender in genders)
        raise UserError(f"{path} has gender {found}, expected 0 or 1 throughout. {RENEW_ADVICE}")
    if not np.isfinite(zrot).all():
        raise UserError(f"{path} has zrot that are not finite numbers. {RENEW_ADVICE}")
    return Info(
        arrays["pose"], arrays["shape"], arrays["joints2D"].swapaxes(1, 2), arrays["joints3D"].swapaxes(1, 2),
        MAT_GENDERS[int(genders[0])], zrot,
    )  # fmt: skip


def _frames_first(path: Path, key: str, values: np.ndarray, shape: tuple, frames: int) -> np.ndarray:
    expected = (*shape[:-1], frames)
    if frames == 1 and values.shape == expected[:-1]:
        values = values[..., None]
    if values.shape != expected:
        raise UserError(f"{path} has {key} of shape {values.shape}, expected {expected}. {RENEW_ADVICE}")
    values = np.moveaxis(values, -1, 0)
    if not np.isfinite(values).all():
        raise UserError(f"{path} has {key} that are not finite numbers. {RENEW_ADVICE}")
    return values
