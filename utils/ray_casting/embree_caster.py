"""Cast rays at a triangle mesh with Intel Embree, through the package embreex."""

import functools

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore import EmbreeDevice
from embreex.rtcore_scene import EmbreeScene

from utils.ray_casting.rays import FirstHits, PixelRays

BLOCK = 1024  # triangles


@functools.lru_cache(maxsize=1)
def _device() -> EmbreeDevice:
    return EmbreeDevice()


def _face_rows(faces: np.ndarray) -> np.ndarray:
    # embreex copies the faces in a Python-level loop. Rows that are plain lists halve the time of a whole picture. They
    # are made in blocks, because pictures share a body, and some add other things to it.
    return np.concatenate([_block(faces[start : start + BLOCK].tobytes()) for start in range(0, len(faces), BLOCK)])


@functools.lru_cache(maxsize=64)
def _block(faces: bytes) -> np.ndarray:
    rows = np.frombuffer(faces, np.int64).reshape(-1, 3).tolist()
    table = np.empty(len(rows), object)
    table[:] = rows
    return table


class EmbreeCaster:
    """A mesh prepared for rays: vertices [V, 3] float32 metres, faces [F, 3] int64; see utils/ray_casting/rays.py."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self._scene = EmbreeScene(_device(), robust=True)
        TriangleMesh(self._scene, vertices.astype(object), _face_rows(faces))

    def first_hits(self, rays: PixelRays) -> FirstHits:
        """The first hit of each ray of a picture."""
        answer = self._scene.run(rays.origins, rays.directions, output=True)
        hit, u, v = answer["primID"] >= 0, answer["u"], answer["v"]
        barycentric = np.empty((len(u), 3), np.float32)
        for corner, weight in enumerate((1 - u - v, u, v)):
            barycentric[:, corner] = np.where(hit, weight, 0)  # u and v of a ray that misses mean nothing
        return FirstHits(answer["primID"], barycentric, np.where(hit, answer["tfar"], np.float32(np.inf)))

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[N] bool: True where the ray from origins [N, 3] along directions [N, 3] hits the mesh."""
        return self._scene.run(origins, directions, query="OCCLUDED") >= 0
