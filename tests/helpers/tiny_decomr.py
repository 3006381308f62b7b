"""A data root of the tiny body with everything a loss cell reads, and random batches of it."""

import contextlib
import pickle
from pathlib import Path

import numpy as np
import torch

from atlas.part_weights import PART_WEIGHTS, load_or_build_part_weights
from atlas.tables import load_or_build_atlas
from datasets.base_dataset import fill_from_mesh
from tests.helpers.tiny_up3d import ellipsoid, write_body
from tests.reference.body import Body
from tests.reference.losses import uv_weight
from tests.reference.surface import Sampler
from utils import config
from utils.objfile import ObjMesh, write_obj
from utils.train_options import TrainOptions

IMAGE_SIZE, ATLAS_SIZE = 64, 128
# the narrowest LNet, on small images
OPTIONS = ["--img_res", IMAGE_SIZE, "--lnet_width", 0.125, "--lam_mesh", 1, "--lam_tv", 0.1]


@contextlib.contextmanager
def data_root(root: Path):
    """`root` filled with a body, an atlas, parts and a mesh at rest, as the data root of this process."""
    write_body(root)
    mesh = ellipsoid()
    write_obj(root / "reference_mesh.obj", ObjMesh(mesh.vertices, mesh.faces))
    chunks = np.array_split(np.arange(len(mesh.vertices)), len(PART_WEIGHTS))
    parts = {name: chunk.tolist() for name, chunk in zip(PART_WEIGHTS, chunks, strict=True)}
    (root / "segm_per_v_overlap.pkl").write_bytes(pickle.dumps(parts, protocol=2))
    before = config.data_root()
    config.set_data_root(root)
    try:
        yield root
    finally:
        config.set_data_root(before)


def make_options(*arguments):
    return TrainOptions().parse_args([str(word) for word in (*OPTIONS, *arguments)])


class Witness:
    """The PyTorch side: body, sampler and uv weight of the data root."""

    def __init__(self, root: Path):
        tables = load_or_build_atlas("BF", ATLAS_SIZE, ATLAS_SIZE, root)
        self.body = Body(root)
        self.sampler = Sampler(vars(tables))
        part_weights = torch.as_tensor(load_or_build_part_weights("BF", ATLAS_SIZE, ATLAS_SIZE, root))
        self.uv_weight = uv_weight(part_weights, self.sampler.mask)


def random_iuv(rng, size: int, image_size: int = IMAGE_SIZE) -> np.ndarray:
    """[size, 3, S, S]: a disc whose (u, v) vary smoothly."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, image_size)] * 2, indexing="ij")
    images = []
    for shift in rng.uniform(-0.2, 0.2, (size, 2)):
        mask = (x - shift[0]) ** 2 + (y - shift[1]) ** 2 < 0.5
        images.append(np.stack([mask, mask * (0.5 + 0.4 * x), mask * (0.5 + 0.4 * y)]))
    return np.stack(images)


def random_batch(
    witness: Witness, size: int = 4, seed: int = 0, all_annotated: bool = False, image_size: int = IMAGE_SIZE
) -> dict:
    """A batch by column name, float32; unless `all_annotated` some samples lack some annotations."""
    rng = np.random.default_rng(seed)
    joints_3d = [rng.normal(size=(size, 24, 3)) * 0.4, rng.random((size, 24, 1))]
    batch = {
        "img": rng.normal(size=(size, 3, image_size, image_size)),
        "gt_iuv": random_iuv(rng, size, image_size),
        "pose": rng.normal(size=(size, 72)) * 0.2,
        "betas": rng.normal(size=(size, 10)),
        "keypoints": np.concatenate([rng.uniform(-1, 1, (size, 24, 2)), rng.random((size, 24, 1))], 2),
        "pose_3d": np.concatenate(joints_3d, 2),
        "keypoints_smpl": np.concatenate([rng.uniform(-1, 1, (size, 24, 2)), rng.random((size, 24, 1))], 2),
        "pose_3d_smpl": np.concatenate(joints_3d[::-1], 2)[..., ::-1],
        "fit_joint_error": rng.uniform(0, 0.12, size),
    }
    for offset, name in enumerate(("has_dp", "has_smpl", "has_pose_3d", "has_pose_3d_smpl")):
        batch[name] = np.ones(size) if all_annotated else (np.arange(size) % 4 != offset)
    batch["from_mesh"] = np.zeros((size, 2))
    batch = {name: np.ascontiguousarray(value, np.float32) for name, value in batch.items()}
    vertices = witness.body(torch.tensor(batch["pose"]), torch.tensor(batch["betas"]))
    batch["gt_vertices"] = vertices.numpy()
    batch["gt_uv_map"] = witness.sampler.get_uv_map(vertices).float().numpy()
    return batch


def with_joints_of_mesh(batch: dict) -> dict:
    """The batch as the data set gives it with --gtkey3d_from_mesh."""
    own = np.stack([batch["has_pose_3d"], batch["has_pose_3d_smpl"]], axis=1)
    known, from_mesh = fill_from_mesh(own, batch["has_smpl"][:, None], True)
    return batch | {"has_pose_3d": known[:, 0], "has_pose_3d_smpl": known[:, 1], "from_mesh": from_mesh}


def random_outputs(rng, size: int) -> tuple:
    """What a network might give for a batch: dp_out, location map, camera; float32 arrays."""
    dp_out = rng.uniform(0.02, 0.98, (size, 3, IMAGE_SIZE // 4, IMAGE_SIZE // 4))
    location_map = rng.normal(size=(size, ATLAS_SIZE, ATLAS_SIZE, 3)) * 0.3
    camera = np.column_stack([rng.uniform(0.5, 1.5, size), rng.uniform(-0.3, 0.3, (size, 2))])
    return tuple(array.astype(np.float32) for array in (dp_out, location_map, camera))
