"""Turn the implicit body into a mesh: 6890 vertices, 13776 even triangles, exactly left-right symmetric.

Marching cubes of the left half (a grid plane lies on the mirror plane, so the half ends exactly at
x = 0), collapse of short edges to half the wished number of faces, then rounds of splits, collapses,
Delaunay flips and tangential relaxation on the surface, as in Botsch and Kobbelt, "A Remeshing Approach
to Multiresolution Modeling" (2004). The mirror image is glued on along the midline.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom
from skimage.measure import marching_cubes

from synthetic.body.skeleton import FLOOR, point
from synthetic.body.surface import body_field, field_gradient
from synthetic.body.trianglemesh import EditableMesh, boundary_edges, collapse_to, flip_to_delaunay, split_longest

FACE_COUNT = 13776  # as SMPL has; a closed surface without holes then has 6890 vertices
_GRID_STEP = 0.006
_COARSE = 4  # grid steps between the first samples, which show roughly where the surface is
_BOX = ((0.0, 0.92), (FLOOR - 0.03, FLOOR + 1.74), (-0.21, 0.21))  # x, y, z of the left half
_ROUNDS = 4
# (place, radius around it in metres, share by which edges are shorter there)
_FINE = (("left_hand", 0.09, 0.56), ("left_fingers", 0.06, 0.70), ("left_foot", 0.10, 0.30), ("nose", 0.09, 0.42))


@dataclass(frozen=True)
class MirroredMesh:
    """vertices [V, 3], faces [F, 3] int64, mirror [V]: the vertex that is each vertex's mirror image."""

    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray


def build_mesh() -> MirroredMesh:
    """The template mesh: midline vertices first, then the left half, then the right half."""
    mesh = EditableMesh(*_marching_cubes())
    wished = FACE_COUNT // 2
    collapse_to(mesh, _edge_length, wished)
    mesh = EditableMesh(*mesh.arrays())
    for _ in range(_ROUNDS):
        _settle(mesh)
        split_longest(mesh, _edge_length, wished // 25)
        collapse_to(mesh, _edge_length, wished)
        mesh = EditableMesh(*mesh.arrays())
    _settle(mesh, sweeps=9)
    return _mirror(*mesh.arrays())


def _edge_length(points: np.ndarray) -> np.ndarray:
    """[N] metres, up to a factor: finer where the body has small forms (hands, feet, face)."""
    nearness = [
        share / (1 + np.exp((np.linalg.norm(points - point(name), axis=-1) - reach) / 0.02))
        for name, reach, share in _FINE
    ]
    return 0.018 * (1 - np.max(nearness, axis=0))


def _marching_cubes() -> tuple[np.ndarray, np.ndarray]:
    """The left half as a fine triangle mesh; only grid points near the surface are evaluated exactly."""
    cells = [_COARSE * int(np.ceil((high - low) / (_COARSE * _GRID_STEP))) for low, high in _BOX]
    axes = [low + _GRID_STEP * np.arange(n + 1) for (low, _), n in zip(_BOX, cells, strict=True)]
    coarse = body_field(np.stack(np.meshgrid(*(axis[::_COARSE] for axis in axes), indexing="ij"), axis=-1))
    field = zoom(coarse, [len(axis) / n for axis, n in zip(axes, coarse.shape, strict=True)], order=1)
    near = np.argwhere(np.abs(field) < 1.2 * _COARSE * _GRID_STEP)
    field[tuple(near.T)] = body_field(np.stack([axis[index] for axis, index in zip(axes, near.T, strict=True)], axis=1))
    vertices, faces, _, _ = marching_cubes(field, 0.0, allow_degenerate=False)
    vertices = vertices.astype(np.float64) * _GRID_STEP + [axis[0] for axis in axes]
    # Orient the faces outwards: the field grows from the inside to the outside.
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = (normals * field_gradient(body_field, corners.mean(axis=1))).sum()
    return vertices, (faces if outward > 0 else faces[:, ::-1]).astype(np.int64)


def _settle(mesh: EditableMesh, sweeps: int = 3) -> None:
    """Even out the triangles: flips, then moves within the surface towards the middle of the neighbours."""
    for _ in range(sweeps):
        while flip_to_delaunay(mesh) > 20:
            pass
        faces, vertices = mesh.live_faces(), np.array(mesh.vertices)
        boundary = np.array(sorted(mesh.boundary))
        moved = _project(_relax(vertices, faces, boundary), boundary)
        mesh.vertices = [tuple(vertex) for vertex in moved.tolist()]


def _relax(vertices: np.ndarray, faces: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """Move interior vertices to the area-weighted centroid of their triangles, boundary ones along the boundary."""
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centres = corners.mean(axis=1)
    area = np.linalg.norm(cross, axis=1) / _edge_length(centres) ** 4
    weight = np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))
    weighted = np.repeat(area[:, None] * centres, 3, axis=0)
    centroid = np.stack([np.bincount(faces.ravel(), weighted[:, k], len(vertices)) for k in range(3)], axis=1)
    normal = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], axis=1)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    step = centroid / weight[:, None] - vertices
    step -= (step * normal).sum(axis=1, keepdims=True) * normal
    rim = boundary_edges(faces)
    along = np.zeros_like(vertices)
    np.add.at(along, rim[:, 0], vertices[rim[:, 1]])
    np.add.at(along, rim[:, 1], vertices[rim[:, 0]])
    step[boundary] = 0.5 * (0.5 * along[boundary] - vertices[boundary])
    return vertices + 0.8 * step


def _project(points: np.ndarray, midline: np.ndarray) -> np.ndarray:
    """Newton steps onto the surface; midline points stay on the mirror plane."""
    for _ in range(2):
        gradient = field_gradient(body_field, points)
        gradient[midline, 0] = 0.0
        step = body_field(points) / np.maximum((gradient * gradient).sum(axis=1), 0.1)
        points = points - np.clip(step, -0.01, 0.01)[:, None] * gradient
    return points


def _mirror(vertices: np.ndarray, faces: np.ndarray) -> MirroredMesh:
    midline = np.unique(boundary_edges(faces))
    left = np.setdiff1d(np.arange(len(vertices)), midline)
    order = np.concatenate([midline, left])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    middle, side = len(midline), len(left)
    half, faces = vertices[order], rank[faces]
    half[:middle, 0] = 0.0
    mirror = np.concatenate([np.arange(middle), np.arange(side) + middle + side, np.arange(side) + middle])
    full = np.concatenate([half, half[middle:] * (-1.0, 1.0, 1.0)])
    return MirroredMesh(full, np.concatenate([faces, mirror[faces][:, ::-1]]), mirror)
