"""Meshes that hang on a body: made of rings at rest, moved by the joints."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from utils.joints import NUM_JOINTS, SMPL_JOINTS

BODY, SKIRT, HAIR, BRIM, SHOE = range(5)  # kinds of surface


@dataclass(frozen=True)
class Hanging:
    """A mesh at rest: vertices [n, 3] metres, weights [n, 24] of the joints, faces [m, 3], and its kind."""

    vertices: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    kind: int


def hang(kind: int, rings: np.ndarray, weights: Callable[[np.ndarray], dict[str, np.ndarray]], closed: bool) -> Hanging:
    """The mesh between rings [R, S, 3] of points; each ring closes on itself, or has two ends.

    weights: points [n, 3] -> joint: share [n]; the shares of a point sum to 1.
    """
    count, sides = rings.shape[:2]
    number = np.arange(count * sides).reshape(count, sides)
    first, second = (number, np.roll(number, -1, axis=1)) if closed else (number[:, :-1], number[:, 1:])
    here, aside, below, across = first[:-1], second[:-1], first[1:], second[1:]
    faces = np.concatenate([np.stack([here, below, aside], -1), np.stack([aside, below, across], -1)]).reshape(-1, 3)
    points = rings.reshape(-1, 3)
    table = np.zeros((len(points), NUM_JOINTS))
    for joint, share in weights(points).items():
        table[:, SMPL_JOINTS.index(joint)] = share
    return Hanging(points, table, faces, kind)


def girth(points: np.ndarray, axis: tuple[float, float], heights: np.ndarray, angles: np.ndarray, reach: float):
    """How far a body's points [N, 3] extend from an upright axis (x, z): [R, S], by height and by angle from +z.

    angles [S] grow evenly; a ring at one of the heights [R] takes the points up to `reach` above and below it. A sector
    without points takes what its neighbours have.
    """
    x, z = points[:, 0] - axis[0], points[:, 2] - axis[1]
    radius, angle = np.hypot(x, z), np.arctan2(x, z)
    step, count = angles[1] - angles[0], len(angles)
    sector = np.rint((angle - angles[0]) % (2 * np.pi) / step).astype(int) % round(2 * np.pi / step)
    found = np.zeros((len(heights), count))
    for ring, height in enumerate(heights):
        near = (np.abs(points[:, 1] - height) < reach) & (sector < count)
        np.maximum.at(found[ring], sector[near], radius[near])
    neighbours = np.maximum(np.roll(found, 1, axis=1), np.roll(found, -1, axis=1))
    return np.where(found > 0, found, neighbours)
