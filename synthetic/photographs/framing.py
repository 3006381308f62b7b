"""Place a person before the camera: orientation, balance, size and place in the image.

The camera is the one with which UP-3D meshes are drawn (focal length 1000 px, principal point at
the image centre, no rotation), so turning and tilting are done by the body's root orientation.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.photographs.poses import SampledPose, sample_pose
from synthetic.photographs.textures import pick
from synthetic.photographs.view import View, world_to_camera
from utils.body_model import BodyModel, pose_vertices, shape_vertices
from utils.camera import FOCAL_LENGTH, PerspectiveCamera
from utils.joints import ROOT

MAX_BETA = 2.0
MAX_LEAN = np.radians(24)
# height of the feet above the floor in mid-air, metres: (lowest, highest) by family of poses
AIRBORNE = {"jump": (0.05, 0.25), "run": (0.0, 0.07)}
# sides of a photograph over that of the crop which a network gets. The crop's square around the person, 1.2 times as
# large as the body, has then about 1.15 times as many pixels on a side in the photograph.
WIDTH, HEIGHT = (1.07, 1.34), (1.2, 1.41)
_SUPPORT_FALLOFF = 14.0  # 1/m; flesh this much above the lowest carries less of the body


@dataclass(frozen=True)
class Sitter:
    """A placed person: pose [72] and betas [10] of the body model, vertices [V, 3] metres, view, yaw in degrees."""

    pose: np.ndarray
    betas: np.ndarray
    vertices: np.ndarray
    view: View
    yaw: float
    sampled: SampledPose


def sample_sitter(rng: np.random.Generator, model: BodyModel, img_res: int = 224) -> Sitter:
    """Draw shape, pose, orientation and framing of one person, on a photograph that suits crops of `img_res` px."""
    betas = sample_betas(rng)
    sampled = sample_pose(rng, model, betas)
    yaw, pitch, roll = _sample_orientation(rng)
    axes = world_to_camera(pitch, roll)
    upright = pose_vertices(model, sampled.pose, betas)
    lean = balance(upright, 0.0 if sampled.seated else 0.8)
    turn = Rotation.from_matrix(axes) * Rotation.from_euler("y", yaw, degrees=True) * lean
    pose = sampled.pose.copy()
    pose[:3] = turn.as_rotvec()
    # the root's rotation turns the whole body about its joint
    pivot = model.joint_regressor[ROOT] @ shape_vertices(model, betas)
    vertices = (upright - pivot) @ turn.as_matrix().T + pivot

    width, height = (round(img_res * rng.uniform(*sides)) for sides in (WIDTH, HEIGHT))
    camera = _frame(rng, vertices, width, height)
    floor = (vertices @ axes[:, 1]).min() - rng.uniform(*AIRBORNE.get(sampled.family, (0.0, 0.0)))
    return Sitter(pose, betas, vertices, View(camera, height, width, axes.astype(np.float32), floor), yaw, sampled)


def sample_betas(rng: np.random.Generator) -> np.ndarray:
    """Draw a shape of the body: betas [10]."""
    return np.clip(rng.normal(size=10), -MAX_BETA, MAX_BETA)


def _sample_orientation(rng: np.random.Generator) -> tuple[float, float, float]:
    facing = pick(rng, [(0.74, "camera"), (0.16, "side"), (0.10, "away")])
    if facing == "camera":
        yaw = float(np.clip(rng.normal(0, 28), -60, 60))
    elif facing == "side":
        yaw = float(rng.choice([-1, 1]) * rng.uniform(55, 110))
    else:
        yaw = float(180 + rng.normal(0, 35))
    return yaw, float(np.clip(rng.normal(6, 5), -1, 18)), float(np.clip(rng.normal(0, 1.5), -4, 4))


def balance(vertices: np.ndarray, share: float) -> Rotation:
    """The rotation that moves the centre of an upright body (y up) over its feet, by `share` of the way.

    vertices: [V, 3] metres.
    """
    lean = Rotation.identity()
    for _ in range(3):
        placed = lean.apply(vertices)
        weight = np.exp(-_SUPPORT_FALLOFF * (placed[:, 1] - placed[:, 1].min()))
        support = weight @ placed / weight.sum()
        offset = placed.mean(axis=0) - support
        forward, sideways = np.arctan2(offset[2], offset[1]), np.arctan2(offset[0], offset[1])
        lean = Rotation.from_euler("zx", [share * sideways, -share * forward]) * lean
    vector = lean.as_rotvec()
    return Rotation.from_rotvec(vector * min(1.0, MAX_LEAN / max(np.linalg.norm(vector), 1e-9)))


def _frame(rng: np.random.Generator, vertices: np.ndarray, width: int, height: int) -> PerspectiveCamera:
    """Draw a camera for which the body fills 56 to 90 % of the image, and in 4 % of cases 100 to 115 %."""
    fill = rng.uniform(1.0, 1.15) if rng.random() < 0.04 else rng.uniform(0.56, 0.9)
    size, centre = np.array([width, height]), np.array([width, height]) / 2
    place = rng.uniform(-1, 1, 2)
    points = np.ascontiguousarray(vertices.T, np.float32)
    translation = np.array([0.0, 0.0, 6.0])
    for _ in range(4):
        low, high = _extent(points, translation)
        translation = translation * [1, 1, np.max((high - low) / size) / fill]
        low, high = _extent(points, translation)
        # the person stands a random way off the middle, but stays near it
        target = 0.22 * place * np.maximum(size - (high - low), 0)
        translation = translation + [*((target - (low + high) / 2) * translation[2] / FOCAL_LENGTH), 0]
    return PerspectiveCamera(FOCAL_LENGTH, tuple(centre.tolist()), translation)


def _extent(points: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest pixel coordinates [2], from the image's centre, of points [3, V] float32 seen from 0."""
    moved = points + translation.astype(np.float32)[:, None]
    pixels = FOCAL_LENGTH * moved[:2] / moved[2]
    return pixels.min(axis=1), pixels.max(axis=1)
