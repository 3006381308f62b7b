"""A body of 642 vertices and a handful of UP-3D samples of it, made in a second, for the data tests.

The body is an ellipsoid with joints on its surface; it bends like SMPL and its files have SMPL's
formats, so the code under test cannot tell the difference.
"""

import pickle
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse
import trimesh

from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import from_image_units, perspective_from_weak, project_weak
from utils.objfile import ObjMesh, write_obj
from utils.pictures import overlay
from utils.renderer import Renderer, shade

PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
NUM_SAMPLES = 6
IMAGE_SIZE = (200, 160)  # height, width


def ellipsoid() -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(3)
    mesh.vertices = mesh.vertices * (0.3, 0.85, 0.15)
    return mesh


def planar_texcoords(vertices: np.ndarray) -> np.ndarray:
    """Mirror-symmetric texcoords: (u, v) of a point at x is (1 - u, v) at -x."""
    return 0.5 + vertices[:, :2] / (0.7, 1.9)


def write_body(root: Path) -> None:
    mesh = ellipsoid()
    write_model(root, np.array(mesh.vertices), np.array(mesh.faces))
    atlas = ObjMesh(mesh.vertices, mesh.faces, planar_texcoords(mesh.vertices), mesh.faces)
    for name in config.ATLAS_TEMPLATES.values():
        write_obj(root / "uv_sampler" / name, atlas)


def write_model(root: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """The body model of a mesh, with joints at random vertices, and its joint regressors."""
    rng = np.random.default_rng(7)
    count = len(vertices)
    regressor = np.zeros((24, count))
    extra = np.zeros((14, count))
    chosen = rng.permutation(count)[:38]
    regressor[np.arange(24), chosen[:24]] = 1
    extra[np.arange(14), chosen[24:]] = 1
    distance = np.linalg.norm(vertices[:, None] - vertices[chosen[:24]], axis=2)
    weights = np.exp(-((distance / 0.2) ** 2))
    model = {
        "v_template": vertices,
        "shapedirs": rng.normal(size=(count, 3, 10)) * 1e-3,
        "posedirs": rng.normal(size=(count, 3, 207)) * 1e-4,
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": faces.astype(np.uint32),
        "kintree_table": np.array([[4294967295, *PARENTS[1:]], range(24)], np.uint32),
    }
    with open(root / config.SMPL_FILE.name, "wb") as stream:
        pickle.dump(model, stream, protocol=2)
    np.save(root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name, extra)
    np.save(root / config.LSP_REGRESSOR_EVAL.name, rng.dirichlet(np.ones(count), 14).T.astype(np.float32))


def write_sample(root: Path, index: int, visible=(1,) * 14) -> None:
    """Write image, body and joints of sample `index` under root/up-3d."""
    rng = np.random.default_rng(index)
    height, width = IMAGE_SIZE
    body = load_body_model(root / config.SMPL_FILE.name)
    regressors = load_joint_regressors(root, body)
    pose = rng.normal(size=72) * 0.05
    pose[:3] = cv2.Rodrigues(cv2.Rodrigues(np.array([0, rng.normal() * 0.5, 0]))[0] @ np.diag([1.0, -1, -1]))[0].ravel()
    betas = rng.normal(size=10)
    vertices = pose_vertices(body, pose, betas)
    weak = np.array([0.9, *(rng.uniform(-0.1, 0.1, 2) - vertices.mean(axis=0)[:2])])
    camera = perspective_from_weak(weak, height, width)
    joints = from_image_units(project_weak(regressors.joints(vertices)[:14], weak), height, width)
    hits = Renderer(vertices, body.faces).cast(camera, height, width, 2)
    image = rng.integers(0, 90, (height, width, 3)).astype(np.uint8)
    stem = root / "up-3d" / f"{index:05d}"
    stem.parent.mkdir(exist_ok=True)
    cv2.imwrite(f"{stem}_image.png", overlay(image, shade(hits, vertices, body.faces)))
    np.save(f"{stem}_joints.npy", np.concatenate([joints.T, [visible]]))
    with open(f"{stem}_body.pkl", "wb") as stream:
        extra = {"t": camera.translation, "rt": np.zeros(3), "f": 1000.0, "trans": np.zeros(3)}
        pickle.dump({"pose": pose, "betas": betas, **extra}, stream, protocol=2)


def write_data(root: Path, count: int = NUM_SAMPLES) -> None:
    """A whole data root: body, atlas, `count` samples of which the last is the test image, and the lists."""
    write_body(root)
    for index in range(count):
        write_sample(root, index)
    names = [f"/{index:05d}_image.png" for index in range(count)]
    (root / "up-3d" / "trainval.txt").write_text("\n".join(names[:-1]) + "\n")
    (root / "namesUPlsp.txt").write_text(names[-1] + "\n")
