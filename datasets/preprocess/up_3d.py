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

from datasets.columns import GENDER, read_table
from datasets.preprocess.generate_gt_iuv import RENEW_ADVICE as RENEW_TABLE
from datasets.preprocess.generate_gt_iuv import AtlasFaces, draw_iuv, load_atlas_faces, make_iuv
from datasets.preprocess.samples import SkipSample, Summary, centre_and_scale
from datasets.preprocess.tables import Layout, make_table
from utils import config
from utils.array_files.pickles import as_floats, load_npy, load_pickle
from utils.body_model import (
    GENDERS,
    BodyModel,
    JointRegressors,
    load_body_model,
    load_joint_regressors,
    load_model_of_gender,
    pose_vertices,
)
from utils.camera import CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import inside, read_lines, require_file
from utils.joints import LSP_JOINTS, TRAINING_JOINTS
from utils.media.image_files import image_size, read_image

IMAGE_ENDING = "_image.png"
NUM_KEYPOINTS = len(LSP_JOINTS)
MIN_VISIBLE = 2  # visible joints that a weak-perspective camera needs
RENEW_ADVICE = "Delete the sample from its list or download it again."
LAYOUT = Layout("imgname", ("imgname", "center", "scale", "part", "pose", "shape"))


@dataclass(frozen=True)
class Split:
    """A split of UP-3D: the name of its .npz and the list of its images."""

    npz_name: str
    list_file: Path

    @property
    def npz_file(self) -> Path:
        """The path of the split's table."""
        return config.DATASET_NPZ_PATH / f"{self.npz_name}.npz"


def train_split() -> Split:
    """The images of trainval.txt."""
    return Split("up_3d_trainval", config.UP_3D_ROOT / "trainval.txt")


def test_split() -> Split:
    """The images of namesUPlsp.txt."""
    return Split("up_3d_lsp_test", config.UP_3D_TEST_NAMES)


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


@dataclass(frozen=True)
class IuvDrawer:
    """Draw the IUV image of an npz row. bodies: gender of the row, '' if it has none -> its body model."""

    root: Path
    bodies: dict[str, BodyModel]
    regressors: JointRegressors
    atlas: AtlasFaces

    def __call__(self, row: dict) -> np.ndarray:
        height, width = image_size(self.root / str(row["imgname"]).lstrip("/"), RENEW_ADVICE)
        vertices = pose_vertices(self.bodies[row.get(GENDER, "")], row["pose"], row["shape"])
        joints = self.regressors.joints(vertices)[:NUM_KEYPOINTS]
        return draw_iuv(vertices, joints, row["part"][:NUM_KEYPOINTS], height, width, self.atlas)


def iuv_name(row: dict, uv_type: str) -> str:
    """Name of the IUV image of an npz row, relative to the folder of the images."""
    stem = str(row["imgname"]).lstrip("/").removesuffix(".png")
    return f"{uv_type}_IUV_gt/{stem}_{round(row['center'][0])}_{round(row['center'][1])}.png"


class Up3D:
    """The preparation of UP-3D: tables of its two splits, and their IUV images."""

    name = "UP-3D"
    train_help = "make up_3d_trainval.npz from trainval.txt"
    eval_help = "make up_3d_lsp_test.npz from namesUPlsp.txt"

    def __init__(self):
        self.root = config.UP_3D_ROOT
        self.body = load_body_model(config.SMPL_FILE)
        self.regressors = load_joint_regressors(model=self.body)

    def make_split(self, split: Split, workers: int) -> Summary:
        """Write the .npz of a split; rows that are newer than the files of their sample are kept."""
        if not self.root.is_dir():
            raise UserError(f"{self.root} does not exist. Put the UP-3D images there; see data/README.md.")
        return make_table(
            split.npz_file, LAYOUT, read_list(split.list_file), RowMaker(self.root, self.body, self.regressors),
            partial(newest_change, self.root), workers,
        )  # fmt: skip

    def make_train(self, workers: int) -> Summary:
        """Write the .npz of the training split."""
        return self.make_split(train_split(), workers)

    def make_eval(self, workers: int) -> Summary:
        """Write the .npz of the test split."""
        return self.make_split(test_split(), workers)

    def make_iuv(self, npz_file: Path, uv_type: str, workers: int) -> Summary:
        """Draw the missing IUV images of an .npz file."""
        atlas = load_atlas_faces(uv_type, len(self.body.v_template))
        table = read_table(npz_file, RENEW_TABLE, ("imgname",))
        genders = set(table.get(GENDER, np.array([], str)).tolist()) - {""}
        bodies = {"": self.body} | {gender: load_model_of_gender(GENDERS[gender]) for gender in sorted(genders)}
        return make_iuv(
            npz_file, self.root, uv_type, workers,
            names=partial(iuv_name, uv_type=uv_type),
            newest_change=lambda row: newest_change(self.root, str(row["imgname"]).lstrip("/")),
            draw=IuvDrawer(self.root, bodies, self.regressors, atlas),
            columns=("imgname", "center", "part", "pose", "shape", *([GENDER] if GENDER in table else [])),
        )  # fmt: skip

    def npz_files(self) -> list[Path]:
        """Every .npz that gets IUV images."""
        return [train_split().npz_file, test_split().npz_file]
