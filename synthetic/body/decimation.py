"""Thin out a triangle mesh by half-edge collapses, those first that change its shape least.

The error of a collapse is the quadric of Garland and Heckbert, "Surface Simplification Using Quadric Error Metrics"
(1997). A vertex moves onto a neighbour and disappears, so the vertices that stay are vertices of the original mesh: its
shape directions and skinning weights hold without change. The mesh stays manifold. Its border may lie on a mirror
plane: border vertices move along the border only, so the mirror image fits.
"""

import heapq

import numpy as np

FOLD = 0.5  # smallest cosine between the normals of a triangle before and after a collapse
THINNEST = (
    0.12  # smallest quality of a triangle after a collapse, 1 for equilateral ones; thinner ones may not get worse
)
EVENNESS = 2e-3  # share of the fourth power of a removed edge's length in the cost, so that flat regions keep vertices
MOST_NEIGHBOURS = 10


def decimate(vertices: np.ndarray, faces: np.ndarray, count: int, importance: np.ndarray) -> np.ndarray:
    """The triangles [F', 3] of a mesh that uses `count` of the vertices [V, 3] of the mesh faces [F, 3].

    importance: [V] factors of the error at each vertex. ValueError if so few vertices cannot keep the shape.
    """
    mesh = _Mesh(vertices, faces, importance)
    mesh.collapse_to(count)
    return np.array([face for face in mesh.faces if face])


class _Mesh:
    """Faces with the faces around each vertex; removed faces are empty tuples."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, importance: np.ndarray):
        self.places = vertices
        self.points = [tuple(point) for point in vertices.tolist()]
        self.faces: list[tuple] = [tuple(face) for face in faces.tolist()]
        self.around: list[set[int]] = [set() for _ in self.points]
        for index, face in enumerate(self.faces):
            for vertex in face:
                self.around[vertex].add(index)
        border = border_edges(faces)
        self.border = set(border.ravel().tolist())
        self.quadrics = importance[:, None, None] * _quadrics(vertices, faces, border)
        self.count = len(np.unique(faces))

    def collapse_to(self, count: int) -> None:
        heap = [entry for vertex in range(len(self.points)) for entry in self._candidates(vertex)]
        heapq.heapify(heap)
        changes = [0] * len(self.points)
        while self.count > count:
            if not heap:
                raise ValueError(f"{self.count} vertices are left, {count} were wished: no other edge can be removed")
            _, gone, keep, age = heapq.heappop(heap)
            if age != changes[gone] + changes[keep] or not self._allowed(gone, keep):
                continue
            for index in list(self.around[gone]):
                self._replace(index, gone, keep)
            self.quadrics[keep] += self.quadrics[gone]
            self.count -= 1
            changes[keep] += 1
            changes[gone] = -(10**9)
            for other in self._neighbours(keep):
                for first, second in ((keep, other), (other, keep)):
                    heapq.heappush(heap, (*self._cost(first, second), changes[first] + changes[second]))

    def _candidates(self, vertex: int) -> list[tuple]:
        return [(*self._cost(vertex, other), 0) for other in self._neighbours(vertex)]

    def _cost(self, gone: int, keep: int) -> tuple[float, int, int]:
        place = self.places[keep]
        quadric = self.quadrics[gone] + self.quadrics[keep]
        error = place @ quadric[:3, :3] @ place + 2 * quadric[:3, 3] @ place + quadric[3, 3]
        step = self.places[gone] - place
        return float(error + EVENNESS * (step @ step) ** 2), gone, keep

    def _neighbours(self, vertex: int) -> set[int]:
        found = {other for index in self.around[vertex] for other in self.faces[index]}
        found.discard(vertex)
        return found

    def _allowed(self, gone: int, keep: int) -> bool:
        """Whether the collapse keeps a manifold, the border, and the direction and shape of triangles."""
        shared = self.around[gone] & self.around[keep]
        common = self._neighbours(gone) & self._neighbours(keep)
        if not shared or len(common) != len(shared):
            return False
        if gone in self.border and (keep not in self.border or len(shared) != 1):
            return False
        if any(len(self.around[vertex]) < 5 for vertex in common if vertex not in self.border):
            return False
        moved = self.around[gone] - shared
        if len(moved) + len(self.around[keep]) - len(shared) > MOST_NEIGHBOURS:
            return False
        for index in moved:
            face = self.faces[index]
            before = [self.points[vertex] for vertex in face]
            after = [self.points[keep if vertex == gone else vertex] for vertex in face]
            cosine, quality, earlier = _compare(before, after)
            if cosine < FOLD or quality < min(THINNEST, earlier):
                return False
        return True

    def _replace(self, index: int, gone: int, keep: int) -> None:
        face = self.faces[index]
        for vertex in face:
            self.around[vertex].discard(index)
        self.faces[index] = () if keep in face else tuple(keep if vertex == gone else vertex for vertex in face)
        for vertex in self.faces[index]:
            self.around[vertex].add(index)


def border_edges(faces: np.ndarray) -> np.ndarray:
    """[E, 2]: the edges of faces [F, 3] that only one face has."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return unique[counts == 1]


def _quadrics(vertices: np.ndarray, faces: np.ndarray, border: np.ndarray) -> np.ndarray:
    """[V, 4, 4]: squared distances from the planes of the triangles at each vertex, weighted by their areas.

    A border edge adds the plane that contains it and the x axis: the outline of the mirror plane.
    """
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = np.cross(vertices[border[:, 1]] - vertices[border[:, 0]], [1.0, 0.0, 0.0])
    quadrics = np.zeros((len(vertices), 4, 4))
    for normal, point, members, weight in (
        (normals, corners[:, 0], faces, np.linalg.norm(normals, axis=1) / 2),
        (outward, vertices[border[:, 0]], border, (outward**2).sum(axis=1)),
    ):
        unit = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        plane = np.concatenate([unit, -(unit * point).sum(axis=1, keepdims=True)], axis=1)
        quadric = weight[:, None, None] * plane[:, :, None] * plane[:, None, :]
        for column in members.T:
            np.add.at(quadrics, column, quadric)
    return quadrics


def _compare(before: list, after: list) -> tuple[float, float, float]:
    """Cosine between the normals of two triangles, the quality of the second and that of the first."""
    old, new = _normal(*before), _normal(*after)
    sizes = (old[0] ** 2 + old[1] ** 2 + old[2] ** 2) ** 0.5, (new[0] ** 2 + new[1] ** 2 + new[2] ** 2) ** 0.5
    if sizes[1] == 0:
        return -1.0, 0.0, 0.0
    cosine = (old[0] * new[0] + old[1] * new[1] + old[2] * new[2]) / max(sizes[0] * sizes[1], 1e-30)
    return cosine, _quality(after, sizes[1]), _quality(before, sizes[0])


def _quality(corners: list, doubled_area: float) -> float:
    squares = sum(
        (p - q) ** 2 for a, b in ((0, 1), (1, 2), (2, 0)) for p, q in zip(corners[a], corners[b], strict=True)
    )
    return 2 * 3**0.5 * doubled_area / squares


def _normal(a: tuple, b: tuple, c: tuple) -> tuple:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
