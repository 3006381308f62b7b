"""Tables of the benchmarks with a few rows of the tiny body each, and a network that answers what a test wants."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from mindspore import Tensor

from tests.helpers import tiny_surreal
from utils import config
from utils.imutils import IMAGE_MEAN, IMAGE_STD

COUNT = 6
HEIGHT, WIDTH = 90, 120
CENTRE, SIDE = (50.0, 48.0), 100.0  # of every crop, px
NO_TRUTH = 2  # a row whose flag says that its truth is missing
# data set -> table, folder of its images
TABLES = {
    "up-3d": ("up_3d_lsp_test", "up-3d"),
    "h36m-p1": ("h36m_valid_protocol1", "h36m"),
    "h36m-p2": ("h36m_valid_protocol2", "h36m"),
    "3dpw": ("3dpw_test", "3dpw"),
    "mpi-inf-3dhp": ("mpi_inf_3dhp_valid", "mpi_inf_3dhp"),
    "lsp": ("lsp_dataset_test", "lsp_dataset"),
}


def write_root(root: Path) -> None:
    """Bodies of all genders, regressors, atlas and the tables of all benchmarks."""
    tiny_surreal.write_bodies(root)
    vertices = len(np.load(root / config.LSP_REGRESSOR_EVAL.name))
    np.save(root / config.JOINT_REGRESSOR_H36M.name, np.eye(vertices)[100:117])
    for dataset in TABLES:
        write_table(root, dataset)


def write_table(root: Path, dataset: str, **changes) -> dict:
    """Write and return the table of a data set. changes: columns in place of its own; None leaves one out."""
    name, folder = TABLES[dataset]
    rng = np.random.default_rng(len(name))
    images = [f"images/{index}.png" for index in range(COUNT)]
    for index, image in enumerate(images):
        path = root / folder / image
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), level(index), np.uint8))
    table = {"imgname": np.array(images), "center": np.tile(CENTRE, (COUNT, 1)), "scale": np.full(COUNT, SIDE / 200)}
    part = np.ones((COUNT, 24, 3))
    part[..., :2] = rng.uniform(20, 70, (COUNT, 24, 2))
    table["part"] = part
    if dataset in ("up-3d", "3dpw"):
        table |= {"pose": rng.normal(size=(COUNT, 72)) * 0.2, "shape": rng.normal(size=(COUNT, 10))}
        table["has_smpl"] = (np.arange(COUNT) != NO_TRUTH).astype(float)
    if dataset == "3dpw":
        table["gender"] = np.array(["m", "f"] * (COUNT // 2))
    if dataset in ("h36m-p1", "h36m-p2", "mpi-inf-3dhp"):
        table["S"] = np.concatenate([rng.normal(size=(COUNT, 24, 3)) * 0.15, np.ones((COUNT, 24, 1))], axis=2)
        table["S"][:, [13, 15, *range(19, 24)], 3] = 0  # motion capture has 17 joints
        table["has_pose_3d"] = (np.arange(COUNT) != NO_TRUTH).astype(float)
    table = {key: value for key, value in (table | changes).items() if value is not None}
    path = root / "DATASET_NPZ_PATH" / f"{name}.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **table)
    return table


def level(index: int) -> int:
    """The grey of image `index`, by which the stand-in below knows it."""
    return 20 + 30 * index


class Oracle:
    """In place of a network: the predictions [COUNT, ...] that a test has prepared, found by the grey of the images."""

    def __init__(self, vertices: np.ndarray, cameras: np.ndarray | None = None):
        self.vertices = np.asarray(vertices, np.float32)
        self.cameras = np.tile([0.8, 0.1, -0.1], (COUNT, 1)) if cameras is None else cameras
        self.sizes: list[int] = []

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        images = images.asnumpy()
        self.sizes.append(len(images))
        middle = images[:, :, images.shape[2] // 2, images.shape[3] // 2] * IMAGE_STD + IMAGE_MEAN
        found = np.rint((255 * middle.mean(1) - 20) / 30).astype(int)
        dp_out = np.zeros((len(images), 3, 8, 8), np.float32)
        return Tensor(dp_out), Tensor(self.vertices[found]), Tensor(self.cameras[found].astype(np.float32))


def make_options(dataset: str, **changes) -> SimpleNamespace:
    """The options that an evaluation reads; the save_root is asked for."""
    values = {
        "dataset": dataset, "img_res": 32, "uv_res": 128, "uv_type": "BF", "batch_size": 4, "num_workers": 1,
        "use_spin_fit": False, "no_augmentation": True, "no_flip": True, "rot_factor": 0, "noise_factor": 0,
        "scale_factor": 0, "no_augmentation_rgb": True, "gtkey3d_from_mesh": False, "cache_ram": False, "seed": 0,
        "joints": "training", "num_vis": 0, "report": None, "data_dir": None, "save_root": "unused",
    }  # fmt: skip
    return SimpleNamespace(**values | changes)
