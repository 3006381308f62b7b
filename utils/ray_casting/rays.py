"""What a ray caster is asked and what it answers: embree_caster.py and numpy_caster.py do the work."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class PixelRays:
    """The rays of a grid of pixels, shape = (rows, columns), row by row; their directions have z = 1.

    origins [n, 3], all of the same z and `depth`, and directions [n, 3], float32. positions [V, 2] say where
    the mesh's vertices appear, as (column, row) of the grid; None where one of them lies behind the camera.
    """

    shape: tuple[int, int]
    origins: np.ndarray
    directions: np.ndarray
    depth: float
    positions: np.ndarray | None


@dataclass(frozen=True)
class FirstHits:
    """What each ray meets first: triangle [n] int32, -1 for nothing; barycentric [n, 3]; distance [n], inf for nothing.

    Distances are in lengths of the rays' directions.
    """

    triangle: np.ndarray
    barycentric: np.ndarray
    distance: np.ndarray


class Caster(Protocol):
    """A mesh made ready for rays: vertices [V, 3] float32 metres, faces [F, 3] int64."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray): ...

    def first_hits(self, rays: PixelRays) -> FirstHits:
        """What the rays of a picture see."""
        ...

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[N] bool: True where the ray from origins [N, 3] along directions [N, 3] meets the mesh."""
        ...
