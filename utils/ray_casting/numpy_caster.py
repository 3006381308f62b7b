"""Cast rays at a triangle mesh in numpy, for machines without Intel Embree: the same hits, slower.

A ray hits a triangle if it passes the three edges on the same side (Plücker coordinates). For an edge that two
triangles share, the side is the same number for both, with opposite sign, so no ray slips through between them.
A ray of a picture is tested against the triangles whose projections cover its pixel (a z-buffer), and a single ray
against the triangles whose boxes it enters (utils/ray_casting/box_tree.py).
"""

from collections.abc import Iterator

import numpy as np

from utils.ray_casting.box_tree import BoxTree
from utils.ray_casting.rays import FirstHits, PixelRays

PAIRS = 2**17  # pairs of a ray and a triangle that are tested at a time; about 250 bytes each
RAYS = 2**14  # single rays that are tested at a time
ROUNDING = 0.01  # pixels; a triangle's projection is widened by them, because pixel rays are float32


class NumpyCaster:
    """A mesh prepared for rays: vertices [V, 3] float32 metres, faces [F, 3] int64; see utils/ray_casting/rays.py."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self._faces = faces
        self._corners = vertices.astype(np.float64)[faces]
        starts, ends = self._corners[:, [1, 2, 0]], self._corners[:, [2, 0, 1]]
        # [F, 3, 6]: edge k lies opposite corner k; its moment about 0 and its direction
        self._edges = np.concatenate([np.cross(starts, ends), ends - starts], axis=2)
        self._tree: BoxTree | None = None

    def first_hits(self, rays: PixelRays) -> FirstHits:
        """The first hit of each ray of a picture."""
        count = len(rays.origins)
        hits = FirstHits(np.full(count, -1, np.int32), np.zeros((count, 3)), np.full(count, np.inf))
        if rays.positions is None:
            pairs = self._entered(rays.origins, rays.directions)
        else:
            pairs = self._covered(rays.positions, rays.shape)
        for ray, triangle in pairs:
            met, weights, distance = self._meet(triangle, rays.origins, rays.directions, ray)
            ray, triangle = ray[met], triangle[met]
            np.minimum.at(hits.distance, ray, distance)
            first = distance == hits.distance[ray]
            hits.triangle[ray[first]] = triangle[first]
            hits.barycentric[ray[first]] = weights[first]
        return hits

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """[N] bool: True where the ray from origins [N, 3] along directions [N, 3] hits the mesh."""
        blocked = np.zeros(len(origins), bool)
        for ray, triangle in self._entered(origins, directions):
            met, _, _ = self._meet(triangle, origins, directions, ray)
            blocked[ray[met]] = True
        return blocked

    def _covered(self, positions: np.ndarray, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs (ray [N], triangle [N]): the pixels in the box around each triangle's projection."""
        corners, limit = positions[self._faces], np.array(shape[::-1])
        low = np.clip(np.ceil(corners.min(axis=1) - ROUNDING), 0, limit).astype(int)
        high = np.clip(np.floor(corners.max(axis=1) + ROUNDING), -1, limit - 1).astype(int)
        size = np.maximum(high - low + 1, 0)
        triangles = np.flatnonzero(size.all(axis=1))
        for part in _parts(size[triangles].prod(axis=1), PAIRS):
            triangle = triangles[part]
            which, place = _count_up(size[triangle].prod(axis=1))
            triangle = triangle[which]
            row, column = np.divmod(place, size[triangle, 0])
            yield (row + low[triangle, 1]) * limit[0] + column + low[triangle, 0], triangle

    def _entered(self, origins: np.ndarray, directions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs (ray [N], triangle [N]): the triangles whose boxes in the tree a ray enters."""
        if self._tree is None:
            self._tree = BoxTree(self._corners)
        for start in range(0, len(origins), RAYS):
            some = slice(start, start + RAYS)
            ray, triangle = self._tree.entered(origins[some], directions[some])
            yield ray + start, triangle

    def _meet(self, triangle: np.ndarray, origins: np.ndarray, directions: np.ndarray, ray: np.ndarray):
        """Test pairs of a triangle [N] and a ray [N], which is a number in origins and directions [R, 3].

        Returns whether they meet [N] bool, and for those that do, weights of the corners [n, 3] and distances [n].
        """
        lines = _lines(origins.take(ray, axis=0), directions.take(ray, axis=0))
        sides = np.einsum("nkx,nx->kn", self._edges.take(triangle, axis=0), lines, order="C")
        total = sides.sum(axis=0)
        met = ((sides.min(axis=0) >= 0) | (sides.max(axis=0) <= 0)) & (total != 0)
        weights = (sides[:, met] / total[met]).T
        points = np.einsum("nk,nkx->nx", weights, self._corners[triangle[met]])
        along = lines[met, :3]
        away = points - origins[ray[met]]
        distance = np.einsum("nx,nx->n", away, along) / np.einsum("nx,nx->n", along, along)
        ahead = distance > 0
        met[met] = ahead
        return met, weights[ahead], distance[ahead]


def _lines(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Plücker coordinates [N, 6] float64 of rays [N, 3]: the direction, and the moment about 0."""
    x, y, z = origins.T.astype(np.float64)
    u, v, w = directions.T.astype(np.float64)
    return np.stack([u, v, w, y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def _parts(counts: np.ndarray, limit: int) -> list[slice]:
    """Cut a list of items with `counts` [T] into parts of at least one item, whose counts sum to about `limit`."""
    ends = np.cumsum(counts)
    if not len(ends):
        return []
    borders = np.searchsorted(ends, np.arange(limit, ends[-1], limit))
    borders = np.unique(np.concatenate([[0], borders, [len(counts)]]))
    return [slice(first, last) for first, last in zip(borders[:-1], borders[1:], strict=True)]


def _count_up(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(item, place) for every place 0 .. counts[item] - 1 of every item: [3, 1] -> (0, 0, 0, 1), (0, 1, 2, 0)."""
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts, counts)
