"""Cast rays at a triangle mesh with Intel Embree, through the package embreex."""

import functools

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore import EmbreeDevice
from embreex.rtcore_scene import EmbreeScene

from utils.ray_casting.rays import FirstHits, PixelRays


@functools.lru_cache(maxsize=1)
def _device() -> EmbreeDevice:
    return EmbreeDevice()


@functools.lru_cache(maxsize=8)
def _face_rows(faces: bytes) -> np.ndarray:
    # embreex copies the faces in a Python-level loop. Rows that are plain lists halve the time of a
    # whole picture, and all pictures of a body share them.
    rows = np.frombuffer(faces, np.int64).reshape(-1, 3).tolist()
    table = np.empty(len(rows), object)
    table[:] = rows
    return table


class EmbreeCaster:
    """A mesh prepared for rays: vertices [V, 3] float32 metres, faces [F, 3] int64; see utils/ray_casting/rays.py."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self._scene = EmbreeScene(_device(), robust=True)
        TriangleMesh(self._scene, vertices.astype(object), _face_rows(faces.tobytes()))

    def first_hits(self, rays: PixelRays) -> FirstHits:
        """The first hit of each ray of a picture."""
        answer = self._scene.run(rays.origins, rays.directions, output=True)
        u, v = answer["u"], answer["v"]
        distance = np.where(answer["primID"] >= 0, answer["tfar"], np.float32(np.inf))
        return FirstHits(answer["primID"], np.stack([1 - u - v, u, v], axis=1), distance)

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[N] bool: True where the ray from origins [N, 3] along directions [N, 3] hits the mesh."""
        return self._scene.run(origins, directions, query="OCCLUDED") >= 0
