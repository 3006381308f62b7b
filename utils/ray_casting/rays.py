"""The interface of a ray caster: its input and output. embree_caster.py and numpy_caster.py implement it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class PixelRays:
    """The rays of a grid of pixels, shape = (rows, columns), row by row; their directions have z = 1.

    origins [n, 3], all at the same z and `depth`, and directions [n, 3], float32. positions [V, 2]: where the
    mesh's vertices appear, as (column, row) of the grid; None if one of them lies behind the camera.
    """

    shape: tuple[int, int]
    origins: np.ndarray
    directions: np.ndarray
    depth: float
    positions: np.ndarray | None


@dataclass(frozen=True)
class FirstHits:
    """What each ray hits first: triangle [n] int32, barycentric [n, 3], distance [n]; -1, 0 and inf for nothing.

    Distances are in units of the length of the ray's direction.
    """

    triangle: np.ndarray
    barycentric: np.ndarray
    distance: np.ndarray


class Caster(Protocol):
    """A mesh prepared for rays: vertices [V, 3] float32 metres, faces [F, 3] int64."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray): ...

    def first_hits(self, rays: PixelRays) -> FirstHits:
        """The first hit of each ray of a picture."""
        ...

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[N] bool: True where the ray from origins [N, 3] along directions [N, 3] hits the mesh."""
        ...
