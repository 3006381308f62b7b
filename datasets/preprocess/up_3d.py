"""UP-3D raw files -> one .npz per split.

UP-3D: Lassner et al., "Unite the People", CVPR 2017. The files of sample NNNNN are `NNNNN_image.png`, `_body.pkl` (SMPL
pose and shape), `_joints.npy` (the 14 LSP joints as x, y, visible) and perhaps `_render_light.png`, a picture of the
fitted mesh on white. This picture gives the bounding box; without it, the mesh is projected with the camera that fits
the joints.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from datasets.preprocess.mesh_iuv import NUM_KEYPOINTS, make_mesh_iuv
from datasets.preprocess.preparation import TEST, TRAIN, Plan, Preparation
from datasets.preprocess.samples import SkipSample, Summary, centre_and_scale
from datasets.preprocess.tables import Layout
from utils import config
from utils.array_files.pickles import as_floats, load_npy, load_pickle
from utils.body_model import BodyModel, JointRegressors, load_body_model, load_joint_regressors, pose_vertices
from utils.camera import CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import inside, read_lines, require_file
from utils.joints import TRAINING_JOINTS
from utils.media.image_files import read_image

IMAGE_ENDING = "_image.png"
MIN_VISIBLE = 2  # visible joints that a weak-perspective camera needs
RENEW_ADVICE = "Delete the sample from its list or download it again."
LAYOUT = Layout("imgname", ("imgname", "center", "scale", "part", "pose", "shape"))


def read_list(path: Path) -> list[str]:
    """Image names in a list file, without leading slashes, blank lines and repetitions."""
    lines = read_lines(path, "It lists the UP-3D images, one per line; see data/README.md.")
    names = list(dict.fromkeys(line.strip().lstrip("/") for line in lines))
    wrong = [name for name in names if not name.endswith(IMAGE_ENDING)]
    if wrong or not names:
        found = f"the line {wrong[0]!r}" if wrong else "no line"
        raise UserError(f"{path} has {found}, expected names like /00000{IMAGE_ENDING}.")
    for name in names:
        inside(config.UP_3D_ROOT, name, path)
    return names


def sample_files(root: Path, image_name: str) -> dict[str, Path]:
    """The files of a sample by kind: image, body, joints, and render, which may be missing."""
    stem = str(root / image_name.removesuffix(IMAGE_ENDING))
    endings = {"image": IMAGE_ENDING, "body": "_body.pkl", "joints": "_joints.npy", "render": "_render_light.png"}
    return {kind: Path(stem + ending) for kind, ending in endings.items()}


def newest_change(root: Path, image_name: str) -> float:
    """Time of the last change to a sample's files; infinite if a needed file is missing."""
    files = sample_files(root, image_name)
    if not all(files[kind].is_file() for kind in ("image", "body", "joints")):
        return float("inf")
    return max(path.stat().st_mtime for path in files.values() if path.is_file())


def read_body(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """SMPL pose [72] and betas [10] of a `_body.pkl`, float64."""
    content = load_pickle(path)
    return _numbers(path, content, "pose", 72), _numbers(path, content, "betas", 10)


def _numbers(path: Path, content: dict, key: str, count: int) -> np.ndarray:
    if key not in content:
        raise UserError(f"{path} has no {key!r}, expected {count} numbers. {RENEW_ADVICE}")
    values = as_floats(path, key, content[key])
    if values.size != count:
        raise UserError(f"{path} has {key} of shape {values.shape}, expected ({count},).")
    values = values.ravel()
    if not np.isfinite(values).all():
        raise UserError(f"{path} has {key} that are not finite numbers.")
    return values


def read_keypoints(path: Path) -> np.ndarray:
    """Keypoints [14, 3] = (x px, y px, visible 0 or 1) of a `_joints.npy`, float64."""
    require_file(path, RENEW_ADVICE)
    joints = load_npy(path)
    if joints.shape != (3, NUM_KEYPOINTS):
        raise UserError(f"{path} has shape {joints.shape}, expected (3, {NUM_KEYPOINTS}).")
    keypoints = as_floats(path, "joints", joints.T)
    visible = keypoints[:, 2] > 0
    if not np.isfinite(keypoints[visible]).all():
        raise UserError(f"{path} has visible joints that are not finite numbers.")
    if visible.sum() < MIN_VISIBLE:
        raise SkipSample(f"no camera can be fitted: {visible.sum()} visible joints, at least {MIN_VISIBLE} are needed")
    return np.where(visible[:, None], keypoints, np.nan_to_num(keypoints * (1, 1, 0)))


def render_box(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Corners (low, high) [2] px of the pixels of a `_render_light.png` that are not white."""
    drawn = read_image(path, RENEW_ADVICE).min(axis=2) < 255
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not len(rows):
        raise UserError(f"{path} shows no body. Delete it to take the box from the mesh.")
    return np.array([columns[0], rows[0]], float), np.array([columns[-1], rows[-1]], float)


def mesh_box(vertices, regressors: JointRegressors, keypoints, height: int, width: int):
    """Corners (low, high) [2] px of the projected mesh [V, 3] inside the image."""
    try:
        camera = fit_camera(regressors.joints(vertices)[:NUM_KEYPOINTS], keypoints, height, width)
    except CameraFitError as error:
        raise SkipSample(str(error)) from error
    projected = camera.project(vertices, height, width)
    limit = np.array([width - 1, height - 1])
    return projected.min(axis=0).clip(0, limit), projected.max(axis=0).clip(0, limit)


@dataclass(frozen=True)
class RowMaker:
    """Make the npz row of a sample, called with its image name: columns [1, ...]."""

    root: Path
    body: BodyModel
    regressors: JointRegressors

    def __call__(self, image_name: str) -> dict:
        files = sample_files(self.root, image_name)
        height, width = read_image(files["image"], RENEW_ADVICE).shape[:2]
        pose, betas = read_body(files["body"])
        keypoints = read_keypoints(files["joints"])
        if files["render"].is_file():
            box = render_box(files["render"])
        else:
            box = mesh_box(pose_vertices(self.body, pose, betas), self.regressors, keypoints, height, width)
        centre, scale = centre_and_scale(*box)
        part = np.zeros((len(TRAINING_JOINTS), 3))
        part[:NUM_KEYPOINTS] = keypoints
        values = (image_name, centre, scale, part, pose, betas)
        return {key: np.array([value]) for key, value in zip(LAYOUT.columns, values, strict=True)}


class Up3D(Preparation):
    """The preparation of UP-3D: tables of its two splits, and their IUV images."""

    name = "up-3d"

    def plan(self, split: str) -> Plan:
        """The images of trainval.txt, or of namesUPlsp.txt."""
        body = load_body_model(config.SMPL_FILE)
        job = RowMaker(self.root, body, load_joint_regressors(model=body))
        list_file = self.root / "trainval.txt" if split == TRAIN else config.UP_3D_TEST_NAMES
        return Plan(LAYOUT, read_list(list_file), job, partial(newest_change, self.root))

    def iuv_tables(self) -> list[Path]:
        """The tables of both splits that exist: the IUV error is measured on the test images."""
        return [path for path in map(self.npz_file, (TRAIN, TEST)) if path.is_file()]

    def make_iuv(self, npz_file: Path, uv_type: str, workers: int) -> Summary:
        """Draw the missing IUV images of a table."""
        return make_mesh_iuv(npz_file, self.root, uv_type, workers, newest_change=self._newest_change)

    def _newest_change(self, row: dict) -> float:
        return newest_change(self.root, str(row["imgname"]).lstrip("/"))
