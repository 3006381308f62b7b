"""UP-3D raw files -> one .npz per split.

UP-3D: Lassner et al., "Unite the People", CVPR 2017. A sample NNNNN is `_image.png`, `_body.pkl`
(SMPL pose and shape), `_joints.npy` (the 14 LSP joints as x, y, visible) and perhaps
`_render_light.png`, a picture of the fitted mesh on white, from which the bounding box is taken.
Where that picture is missing the mesh is projected with the camera that fits the joints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.preprocess.samples import SkipSample, Summary, run_samples
from utils import config
from utils.body_model import BodyModel, JointRegressors, pose_vertices
from utils.camera import BOX_UNIT, CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import require_file, write_npz
from utils.imutils import read_image
from utils.pickles import load_pickle

IMAGE_ENDING = "_image.png"
BOX_MARGIN = 1.2  # the crop's side over the larger side of the bounding box, UP-3D protocol
NUM_KEYPOINTS = 14
MIN_VISIBLE = 2  # joints that determine a weak-perspective camera
SAVE_EVERY = 500  # samples between savings of unfinished work
RENEW_ADVICE = "Delete the sample from its list or download it again."
ROW_KEYS = ("imgname", "center", "scale", "part", "pose", "shape")


@dataclass(frozen=True)
class Split:
    """A split of UP-3D: the name of its .npz and the list of its images."""

    npz_name: str
    list_file: Path

    @property
    def npz_file(self) -> Path:
        return config.DATASET_NPZ_PATH / f"{self.npz_name}.npz"


def train_split() -> Split:
    return Split("up_3d_trainval", config.UP_3D_ROOT / "trainval.txt")


def test_split() -> Split:
    return Split("up_3d_lsp_test", config.UP_3D_TEST_NAMES)


def read_list(path: Path) -> list[str]:
    """Image names of a list file, without the leading slash, blank lines and repetitions."""
    require_file(path, "It lists the UP-3D images, one per line; see data/README.md.")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = list(dict.fromkeys(line.strip().lstrip("/") for line in lines if line.strip()))
    wrong = [name for name in names if not name.endswith(IMAGE_ENDING)]
    if wrong or not names:
        found = f"the line {wrong[0]!r}" if wrong else "no line"
        raise UserError(f"{path} has {found}, expected names like /00000{IMAGE_ENDING}.")
    return names


def sample_files(root: Path, image_name: str) -> dict[str, Path]:
    """The files of a sample by kind: image, body, joints, render (which may not exist)."""
    stem = str(root / image_name.removesuffix(IMAGE_ENDING))
    endings = {"image": IMAGE_ENDING, "body": "_body.pkl", "joints": "_joints.npy", "render": "_render_light.png"}
    return {kind: Path(stem + ending) for kind, ending in endings.items()}


def newest_change(root: Path, image_name: str) -> float:
    """Time of the last change to a sample's files; infinite if one that is needed is missing."""
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
    values = np.asarray(content[key])
    if values.size != count:
        raise UserError(f"{path} has {key} of shape {values.shape}, expected ({count},).")
    values = values.astype(np.float64).ravel()
    if not np.isfinite(values).all():
        raise UserError(f"{path} has {key} that are not finite numbers.")
    return values


def read_keypoints(path: Path) -> np.ndarray:
    """Keypoints [14, 3] = (x px, y px, visible 0 or 1) of a `_joints.npy`, float64."""
    require_file(path, RENEW_ADVICE)
    joints = np.load(path, allow_pickle=False)
    if joints.shape != (3, NUM_KEYPOINTS):
        raise UserError(f"{path} has shape {joints.shape}, expected (3, {NUM_KEYPOINTS}).")
    keypoints = joints.T.astype(np.float64)
    visible = keypoints[:, 2] > 0
    if not np.isfinite(keypoints[visible]).all():
        raise UserError(f"{path} has visible joints that are not finite numbers.")
    if visible.sum() < MIN_VISIBLE:
        raise SkipSample(f"no camera can be fitted: {visible.sum()} visible joints, at least {MIN_VISIBLE} are needed")
    return np.where(visible[:, None], keypoints, np.nan_to_num(keypoints * (1, 1, 0)))


def render_box(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Corners (low, high) [2] px of the drawn pixels of a `_render_light.png`: those not white."""
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


def centre_and_scale(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [2] px and scale (in units of 200 px) of the crop around a box."""
    scale = BOX_MARGIN * float((high - low).max()) / BOX_UNIT
    if not scale > 0:
        raise UserError("the body does not reach into the image.")
    return (low + high) / 2, scale


@dataclass(frozen=True)
class RowMaker:
    """Make the npz row of a sample, called with its image name."""

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
        part = np.zeros((24, 3))
        part[:NUM_KEYPOINTS] = keypoints
        return dict(zip(ROW_KEYS, (image_name, centre, scale, part, pose, betas), strict=True))


def make_split(split: Split, body: BodyModel, regressors: JointRegressors, workers: int) -> Summary:
    """Write the .npz of a split; rows that are newer than the files of their sample are kept as they are."""
    root = config.UP_3D_ROOT
    if not root.is_dir():
        raise UserError(f"{root} does not exist. Put the UP-3D images there; see data/README.md.")
    names = read_list(split.list_file)
    summary = Summary(split.npz_name)
    partial_file = split.npz_file.with_name(f"{split.npz_name}.partial.npz")
    rows = _kept_rows(split.npz_file, root) | _kept_rows(partial_file, root)
    rows = {name: rows[name] for name in names if name in rows}
    summary.kept = len(rows)

    missing = [name for name in names if name not in rows]
    try:
        for _, row in run_samples(RowMaker(root, body, regressors), missing, missing, summary, workers):
            rows[row["imgname"]] = row
            if summary.done % SAVE_EVERY == 0:
                write_rows(partial_file, list(rows.values()))
    except BaseException:  # interrupted: the next run continues from here
        if summary.done:
            write_rows(partial_file, list(rows.values()))
        raise
    if not rows:
        raise UserError(f"no sample of {split.list_file} could be used; {split.npz_file} was not written.")
    final = [rows[name] for name in names if name in rows]
    if summary.done or not _holds(split.npz_file, [row["imgname"] for row in final]):
        write_rows(split.npz_file, final)
    partial_file.unlink(missing_ok=True)
    return summary


def write_rows(path: Path, rows: list[dict]) -> None:
    write_npz(path, **{key: np.array([row[key] for row in rows]) for key in ROW_KEYS})


def _kept_rows(path: Path, root: Path) -> dict[str, dict]:
    """Rows of an earlier run by image name, without those whose sample has changed since."""
    if not path.is_file():
        return {}
    written = path.stat().st_mtime
    with np.load(path, allow_pickle=False) as archive:
        table = {key: archive[key] for key in ROW_KEYS}
    rows = (dict(zip(ROW_KEYS, values, strict=True)) for values in zip(*table.values(), strict=True))
    return {str(row["imgname"]): row for row in rows if newest_change(root, str(row["imgname"])) <= written}


def _holds(path: Path, names: list[str]) -> bool:
    if not path.is_file():
        return False
    with np.load(path, allow_pickle=False) as archive:
        return archive["imgname"].tolist() == names
