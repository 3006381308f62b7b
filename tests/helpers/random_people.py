"""Random people of any body model, smooth noise for their meshes, and how far two answers are apart."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from utils.body_model import BodyModel, pose_vertices


def smooth_fields(points: np.ndarray, rng: np.random.Generator, count: int, length: float) -> np.ndarray:
    """Random vector fields [V, 3, count] over points [V, 3]: mean square length 1, alike over `length` metres."""
    fields = []
    for _ in range(count):
        waves, phases = rng.normal(size=(64, 3)) / length, rng.uniform(0, 2 * np.pi, 64)
        field = np.cos(points @ waves.T + phases) @ rng.normal(size=(64, 3))
        fields.append(field / np.sqrt((field**2).sum(1).mean()))
    return np.stack(fields, 2)


@dataclasses.dataclass
class People:
    """Bodies in random poses: pose [N, 24, 3], betas [N, 10], translation [N, 3], vertices [N, V, 3]."""

    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray
    vertices: np.ndarray


def random_people(model: BodyModel, count: int, seed: int = 0, spread: float = 0.4) -> People:
    """People in any direction, each joint turned by a normal deviate of `spread` radians about each axis."""
    rng = np.random.default_rng(seed)
    pose = spread * rng.normal(size=(count, 24, 3))
    pose[:, 0] = Rotation.random(count, random_state=seed).as_rotvec()
    return people(model, pose, rng.normal(size=(count, 10)), rng.normal(size=(count, 3)))


def people(model: BodyModel, pose: np.ndarray, betas: np.ndarray, translation: np.ndarray) -> People:
    """Pose each body by utils.body_model, which the fit does not use."""
    posed = [pose_vertices(model, *parameters) for parameters in zip(pose, betas, strict=True)]
    return People(pose, betas, translation, np.stack(posed) + translation[:, None])


def turns_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N, 24] degrees between the rotations of two poses [N, 24, 3]."""
    rotations = (Rotation.from_rotvec(pose.reshape(-1, 3)) for pose in (first, second))
    return np.degrees((next(rotations).inv() * next(rotations)).magnitude()).reshape(first.shape[:2])


def mean_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N] mm: the mean distance of points [N, V, 3]."""
    return 1000 * np.linalg.norm(first - second, axis=-1).mean(1)


def noisy(vertices: np.ndarray, template: np.ndarray, length: float, size: float = 0.03) -> np.ndarray:
    """Meshes [N, V, 3] with displacements of `size` metres, root mean square, alike over `length` of the template."""
    fields = smooth_fields(template, np.random.default_rng(11), len(vertices), length)
    return vertices + size * np.moveaxis(fields, 2, 0)
