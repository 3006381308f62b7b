"""COCO, MPII, LSP, LSP original and HR-LSPET of the tiny body, each with the same few people.

The joints are numbered as the releases number them: this helper is a witness of the names in utils/joints.py. Files are
written by hand, not by synthetic/benchmarks.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io

from tests.helpers import tiny_up3d
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.config import _PATHS

HEIGHT, WIDTH = tiny_up3d.IMAGE_SIZE
NUM_PEOPLE = 3
# keypoint of the set -> training joint
COCO = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0]
MPII = [0, 1, 2, 3, 4, 5, 14, 15, 12, 13, 6, 7, 8, 9, 10, 11]
LSP = list(range(14))


SHIFT = 30.0  # px


def one_moved_at_a_time(places: np.ndarray, count: int = 24) -> list[np.ndarray]:
    """Places [24, 2] px, and then these with each of the first `count` joints moved alone by SHIFT, both ways."""
    return [places, *(places + SHIFT * (np.arange(24) == joint)[:, None] for joint in range(count))]


def assert_own_places(part: np.ndarray, places: np.ndarray, known: list[int]) -> None:
    """Rows [1 + n, 24, 3] of such people: `known` joints lie at their places, and only the one that is moved moves."""
    np.testing.assert_array_equal(part[0, known, :2], places[known])
    np.testing.assert_array_equal(part[..., 2], np.tile(np.isin(range(24), known), (len(part), 1)))
    moved = (part[1:] - part[0]).transpose(0, 2, 1)  # [moved joint, x y confidence, joint]
    expected = SHIFT * np.eye(len(moved), 24) * np.isin(range(24), known)
    np.testing.assert_array_equal(moved, np.stack([expected, expected, 0 * expected], axis=1))


@dataclass
class Person:
    """pose [72], betas [10], the 24 training joints [24, 2] px."""

    pose: np.ndarray
    betas: np.ndarray
    joints: np.ndarray


def folder(root: Path, constant: str) -> Path:
    return root / _PATHS[constant]


def people(root: Path, count: int = NUM_PEOPLE) -> list[Person]:
    """People before a weak-perspective camera: x = (s (X + tx) W + W) / 2, and the same of y with H."""
    body = load_body_model(root / "basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl")
    regressors = load_joint_regressors(root, body)
    found = []
    for index in range(count):
        rng = np.random.default_rng([5, index])
        pose, betas = rng.normal(size=72) * 0.05, rng.normal(size=10)
        pose[:3] = (np.pi, 0, 0)
        points = regressors.joint_rows @ pose_vertices(body, pose, betas)
        shift = rng.uniform(-0.1, 0.1, 2) - points.mean(axis=0)[:2]
        joints = (0.9 * (points[:, :2] + shift) * WIDTH + (WIDTH, HEIGHT)) / 2
        assert (joints > 0).all() and (joints < (WIDTH, HEIGHT)).all()
        found.append(Person(pose, betas, joints))
    return found


def write_picture(path: Path, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), noise)


def coco_name(index: int) -> str:
    return f"COCO_train2014_{index + 1:012d}.jpg"


def coco_content(joints: list[np.ndarray]) -> dict:
    """The annotation file of one person on each picture, whose training joints are given."""
    entries = []
    for index, places in enumerate(joints):
        keypoints = np.concatenate([np.rint(places[COCO]), np.full((17, 1), 2)], axis=1)
        entries.append({
            "id": 700 + index, "image_id": 40 + index, "category_id": 1, "iscrowd": 0, "num_keypoints": 17,
            "bbox": [10.5, 20.25, 60.0, 100.0 + index], "keypoints": keypoints.astype(int).ravel().tolist(),
            "segmentation": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]],
        })  # fmt: skip
    images = [
        {"id": 40 + index, "file_name": coco_name(index), "height": HEIGHT, "width": WIDTH}
        for index in range(len(joints))
    ]
    return {"images": images, "annotations": entries, "categories": [{"id": 1, "name": "person"}]}


def write_coco(root: Path, joints: list[np.ndarray], content: dict | None = None) -> Path:
    base = folder(root, "COCO_ROOT")
    for index in range(len(joints)):
        write_picture(base / "train2014" / coco_name(index))
    path = base / "annotations/person_keypoints_train2014.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content or coco_content(joints)))
    return path


def mpii_content(joints: list[np.ndarray]) -> dict:
    count = len(joints)
    return {
        "center": np.array([[70.0 + index, 90] for index in range(count)]),
        "imgname": [f"{index:09d}.jpg".encode() for index in range(count)],
        "part": np.array([places[MPII] for places in joints]),
        "scale": np.linspace(0.8, 0.9, count),
    }


def write_mpii(root: Path, joints: list[np.ndarray], content: dict | None = None) -> Path:
    base = folder(root, "MPII_ROOT")
    for index in range(len(joints)):
        write_picture(base / f"images/{index:09d}.jpg")
    path = base / "annot/train.h5"
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in (content or mpii_content(joints)).items():
            file[name] = array
    return path


def write_lsp(root: Path, joints: list[np.ndarray]) -> Path:
    """Test pictures from the 1001st on, with silhouettes and parts; joints of the first 1000 are zeros."""
    base, masks = folder(root, "LSP_ROOT"), folder(root, "UPI_S1H_ROOT") / "data/lsp"
    for number in range(1001, 1001 + len(joints)):
        write_picture(base / f"images/im{number:04d}.jpg")
        write_picture(masks / f"im{number:04d}_segmentation.png")
        write_picture(masks / f"im{number:04d}_part_segmentation.png")
    array = np.zeros((3, 14, 1000 + len(joints)))
    array[:2, :, 1000:] = np.stack([places[LSP].T for places in joints], axis=-1)
    return write_mat(base, array)


def write_lsp_original(root: Path, joints: list[np.ndarray]) -> Path:
    base = folder(root, "LSP_ORIGINAL_ROOT")
    for index in range(len(joints)):
        write_picture(base / f"images/im{index + 1:04d}.jpg")
    array = np.stack([np.vstack([places[LSP].T, np.arange(14) % 2]) for places in joints], axis=-1)
    return write_mat(base, array)


def write_lspet(root: Path, joints: list[np.ndarray]) -> Path:
    base = folder(root, "LSPET_ROOT")
    for index in range(len(joints)):
        write_picture(base / f"im{3 * index + 1:05d}.png")
    array = np.stack([np.hstack([places[LSP], np.zeros((14, 1))]) for places in joints], axis=-1)
    return write_mat(base, array)


def write_mat(base: Path, joints: np.ndarray) -> Path:
    scipy.io.savemat(base / "joints.mat", {"joints": joints})
    return base / "joints.mat"


def write_fits(root: Path, name: str, fitted: list[Person]) -> Path:
    path = folder(root, "SPIN_FITS") / f"{name}.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(
        path, pose=np.array([person.pose for person in fitted]), shape=np.array([person.betas for person in fitted])
    )
    return path
