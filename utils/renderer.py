"""Draw a mesh by casting rays: IUV images, shaded pictures, and what light reaches.

One cast answers every question about a picture: `Hits` says for each pixel which triangle it sees, where on it,
and how far away.

The projection is not here: the cameras of utils/camera.py say which ray belongs to a pixel, and the docstring of that
file states the coordinates and the pixel convention. The convention is that of the OpenDR renderer, which made the
published IUV images. Rays are cast by Intel Embree, or by numpy where Embree is not installed (utils/ray_casting).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from utils.camera import OrthographicCamera, PerspectiveCamera
from utils.ray_casting.rays import Caster, PixelRays

DEFAULT_CASTER: type[Caster]
CASTER_NOTE = ""  # a note for commands that draw many pictures
try:
    from utils.ray_casting.embree_caster import EmbreeCaster
except ImportError as error:  # embreex has no wheel for Linux on ARM64
    from utils.ray_casting.numpy_caster import NumpyCaster

    DEFAULT_CASTER = NumpyCaster
    CASTER_NOTE = f"Pictures are drawn by numpy, not by Intel Embree ({error}): the same, but it takes longer."
else:
    DEFAULT_CASTER = EmbreeCaster

NEAR_MARGIN = 1.0  # metres between the start of parallel rays and the mesh
BAND = 2**18  # rays that are cast at a time
DEFAULT_COLOUR = (0.72, 0.76, 0.82)
SHININESS = 24.0  # exponent of the highlight
DEFAULT_LIGHT = (-0.35, -0.55, -0.76)  # towards the light: from above, a little from the viewer's left


@dataclass(frozen=True)
class Hits:
    """What the rays of a picture hit; with supersample S every array has S x S samples per pixel.

    triangle [H, W] int32, -1 where nothing is hit; barycentric [H, W, 3] float32, weights of the
    triangle's three corners; depth [H, W] float32 metres, inf where nothing is hit.
    """

    triangle: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray
    supersample: int = 1

    @cached_property
    def mask(self) -> np.ndarray:
        """[H, W] bool, True where the mesh is seen."""
        return self.triangle >= 0

    @cached_property
    def seen(self) -> np.ndarray:
        """[n]: the places of the samples that see the mesh, in the flattened picture."""
        return np.flatnonzero(self.mask)

    def interpolate(self, corner_values: np.ndarray) -> np.ndarray:
        """Blend values at triangle corners [F, 3, C] over the seen samples: [n, C], in the order of `seen`."""
        corners = corner_values.take(self.triangle.ravel()[self.seen], axis=0)
        return np.einsum("nk,nkc->nc", self.barycentric.reshape(-1, 3).take(self.seen, axis=0), corners)

    def face_values(self, values: np.ndarray, background=0) -> np.ndarray:
        """Picture [H, W, ...] of one value per face [F, ...], for example body part labels."""
        picture = np.full((*self.triangle.shape, *values.shape[1:]), background, values.dtype)
        picture[self.mask] = values[self.triangle[self.mask]]
        return picture


class Renderer:
    """A mesh prepared for rays: vertices [V, 3] metres, faces [F, 3]; `caster` casts the rays."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, caster: type[Caster] = DEFAULT_CASTER):
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.faces = np.ascontiguousarray(faces, np.int64)
        self._caster = caster(self.vertices, self.faces)

    def cast(
        self, camera: PerspectiveCamera | OrthographicCamera, height: int, width: int, supersample: int = 1
    ) -> Hits:
        """Cast one ray per pixel (S x S per pixel with supersample S) of a height x width picture."""
        shape = (height * supersample, width * supersample)
        triangle = np.full(shape, -1, np.int32)
        barycentric = np.zeros((*shape, 3), np.float32)
        depth = np.full(shape, np.inf, np.float32)
        hits = Hits(triangle, barycentric, depth, supersample)

        for rows, columns, rays in self._bands(camera, height, width, supersample):
            first = self._caster.first_hits(rays)
            triangle[rows, columns] = first.triangle.reshape(rays.shape)
            barycentric[rows, columns] = first.barycentric.reshape(*rays.shape, 3)
            depth[rows, columns] = first.distance.reshape(rays.shape) + np.float32(rays.depth)
        return hits

    def _bands(self, camera, height: int, width: int, supersample: int) -> Iterator[tuple[slice, slice, PixelRays]]:
        """Yield (rows, columns, rays) of the samples that can see the mesh, in bands, so that memory stays small."""
        near = float(self.vertices[:, 2].min()) - NEAR_MARGIN
        origin, _, depth = camera.rays(np.zeros(1), np.zeros(1), height, width, near)
        positions = (camera.project(self.vertices, height, width) + 0.5) * supersample - 0.5  # in samples
        shape = (height * supersample, width * supersample)
        if (self.vertices[:, 2] > origin[0, 2]).all() and np.isfinite(positions).all():
            rows, columns = _window(positions, shape)
        else:  # points behind the camera have no projection
            positions, rows, columns = None, slice(0, shape[0]), slice(0, shape[1])
        x = _sample_position(np.arange(columns.start, columns.stop), supersample)
        step = max(BAND // max(len(x), 1), 1)
        for top in range(rows.start, rows.stop, step):
            band = slice(top, min(top + step, rows.stop))
            y = _sample_position(np.arange(band.start, band.stop), supersample)
            origins, directions, _ = camera.rays(x, y, height, width, near)
            inside = None if positions is None else positions - (columns.start, band.start)
            yield band, columns, PixelRays((len(y), len(x)), origins, directions, depth, inside)

    def visible_from(self, points: np.ndarray, direction: np.ndarray | Sequence[float]) -> np.ndarray:
        """[N] bool: True where nothing lies between points [N, 3] and infinity along direction [3] or [N, 3]."""
        directions = np.broadcast_to(np.asarray(direction, np.float32), points.shape)
        return ~self._caster.blocked(_as_rays(points), _as_rays(directions))


def _window(projected: np.ndarray, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the box around vertices that are `projected` [V, 2] onto a picture of `shape`."""
    low, high = np.floor(projected.min(axis=0) - 1), np.ceil(projected.max(axis=0) + 2)
    first, last = (np.clip(end, 0, shape[::-1]).astype(int) for end in (low, high))
    return slice(first[1], last[1]), slice(first[0], last[0])


def _as_rays(vectors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vectors, np.float32)


def _sample_position(index: np.ndarray, supersample: int) -> np.ndarray:
    # pixel p covers [p - 0.5, p + 0.5]; without supersampling its one sample is p itself
    return (index + 0.5) / supersample - 0.5


def cast_mesh(vertices, faces, camera, height: int, width: int, supersample: int = 1) -> Hits:
    """The hits of a mesh (vertices [V, 3], faces [F, 3]) that is drawn only once; see Renderer.cast."""
    return Renderer(vertices, faces).cast(camera, height, width, supersample)


def iuv_image(hits: Hits, face_uv: np.ndarray) -> np.ndarray:
    """IUV picture [H, W, 3] uint8 = (mask 0 or 1, round(255 u), round(255 v)); face_uv [F, 3, 2] texcoords."""
    iuv = np.zeros((*hits.triangle.shape, 3), np.uint8)
    pixels = iuv.reshape(-1, 3)
    pixels[hits.seen, 0] = 1
    pixels[hits.seen, 1:] = np.rint(255 * np.clip(hits.interpolate(face_uv), 0, 1))
    return iuv


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3] float32: the area-weighted mean of the faces around each vertex."""
    origin, first, second = (np.ascontiguousarray(vertices.T).take(faces[:, corner], axis=1) for corner in range(3))
    (x, y, z), (u, v, w) = first - origin, second - origin
    face_normals, owners = (y * w - z * v, z * u - x * w, x * v - y * u), faces.ravel()
    sums = [np.bincount(owners, np.repeat(part, 3), len(vertices)) for part in face_normals]
    return unit(np.stack(sums, axis=1)).astype(np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] scaled to length 1 (zero stays zero)."""
    length = np.sqrt(np.einsum("...k,...k->...", vectors, vectors))[..., None]
    return vectors / np.maximum(length, 1e-12)


def shade(
    hits: Hits,
    vertices: np.ndarray,
    faces: np.ndarray,
    colour=DEFAULT_COLOUR,
    light=DEFAULT_LIGHT,
    ambient: float = 0.42,
    specular: float = 0.12,
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth-shaded picture of a cast mesh: ambient + Lambert + Blinn highlight.

    colour [3] in [0, 1]; light [3] points from the body towards the light.
    Returns colour [H, W, 3] float32 in [0, 1] and coverage [H, W] float32 in [0, 1]; with
    supersampling the colour of a pixel is the mean of its covered samples.
    """
    mask = hits.mask
    normals = unit(hits.interpolate(vertex_normals(np.asarray(vertices, np.float32), faces)[faces]))
    towards_light = unit(np.asarray(light, np.float32))
    half_way = unit(towards_light + np.array([0, 0, -1], np.float32))
    direct = np.clip(normals @ towards_light, 0, 1)
    highlight = specular * np.clip(normals @ half_way, 0, 1) ** SHININESS

    samples = np.zeros((*mask.shape, 3), np.float32)
    base = np.asarray(colour, np.float32)
    samples[mask] = np.clip(base * (ambient + (1 - ambient) * direct)[:, None] + highlight[:, None], 0, 1)
    return _average_samples(samples, mask, hits.supersample)


def _average_samples(samples: np.ndarray, mask: np.ndarray, supersample: int) -> tuple[np.ndarray, np.ndarray]:
    coverage = mask.astype(np.float32)
    if supersample > 1:
        size = (mask.shape[1] // supersample, mask.shape[0] // supersample)
        samples = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
        coverage = np.asarray(cv2.resize(coverage, size, interpolation=cv2.INTER_AREA), np.float32)
        samples = samples / np.maximum(coverage, 1e-6)[..., None]
    return samples, coverage
