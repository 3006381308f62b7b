"""A triangle mesh that can be edited: edges collapse, split and flip, and the mesh stays a manifold.

The surface may have a boundary: the half body ends on the mirror plane. An edit is refused if it would pinch the
surface, fold a triangle over or move the boundary.
"""

import heapq

import numpy as np

_FOLD = 0.2  # cosine below which a face counts as folded over by an edit


class EditableMesh:
    """Positions [V][3] and faces in lists, with the faces around each vertex; removed faces are empty tuples."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        self.vertices = [tuple(vertex) for vertex in vertices.tolist()]
        self.faces: list[tuple] = [tuple(face) for face in faces.tolist()]
        self.around: list[set[int]] = [set() for _ in self.vertices]
        for index, face in enumerate(self.faces):
            for vertex in face:
                self.around[vertex].add(index)
        self.face_count = len(self.faces)
        self.boundary = set(boundary_edges(faces).ravel().tolist())

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """(vertices [V, 3] float64, faces [F, 3] int64) without unused vertices."""
        used, faces = np.unique(self.live_faces(), return_inverse=True)
        return np.array(self.vertices)[used], faces.reshape(-1, 3)

    def live_faces(self) -> np.ndarray:
        """[F, 3] int64: the faces that no edit has removed."""
        return np.array([face for face in self.faces if face])

    def neighbours(self, vertex: int) -> set:
        """The vertices that share a face with `vertex`."""
        found = {other for index in self.around[vertex] for other in self.faces[index]}
        found.discard(vertex)
        return found

    def collapse(self, keep: int, gone: int) -> int:
        """Merge vertex `gone` into `keep`, at their midpoint or on the boundary; returns the faces removed."""
        if gone in self.boundary and keep not in self.boundary:
            keep, gone = gone, keep
        shared = self.around[keep] & self.around[gone]
        if len(shared) == 0 or len(self.neighbours(keep) & self.neighbours(gone)) != len(shared):
            return 0
        on_boundary = gone in self.boundary
        if on_boundary and len(shared) == 2:
            return 0
        if keep in self.boundary and not on_boundary:
            place = self.vertices[keep]
        else:
            place = tuple(0.5 * (a + b) for a, b in zip(self.vertices[keep], self.vertices[gone], strict=True))
        if self._folds(gone, place, shared) or self._folds(keep, place, shared):
            return 0
        self.vertices[keep] = place
        for index in shared:
            self._remove(index)
        for index in list(self.around[gone]):
            self._replace(index, tuple(keep if vertex == gone else vertex for vertex in self.faces[index]))
        self.boundary.discard(gone)
        return len(shared)

    def split(self, first: int, second: int) -> int:
        """Put a vertex in the middle of an edge; returns the number of faces added."""
        shared = self.around[first] & self.around[second]
        if not shared:
            return 0
        middle = len(self.vertices)
        ends = zip(self.vertices[first], self.vertices[second], strict=True)
        self.vertices.append(tuple(0.5 * (a + b) for a, b in ends))
        self.around.append(set())
        if len(shared) == 1:
            self.boundary.add(middle)
        for index in shared:
            face = self.faces[index]
            self._add(tuple(middle if vertex == first else vertex for vertex in face))
            self._replace(index, tuple(middle if vertex == second else vertex for vertex in face))
        return len(shared)

    def flip(self, first: int, second: int) -> bool:
        """Exchange the edge for the other diagonal of its two triangles."""
        shared = self.around[first] & self.around[second]
        if len(shared) != 2:
            return False
        left, right = shared
        if not _runs(self.faces[left], first, second):
            left, right = right, left
        top = _third(self.faces[left], first, second)
        bottom = _third(self.faces[right], first, second)
        if self.around[top] & self.around[bottom] or min(len(self.around[first]), len(self.around[second])) < 4:
            return False
        # The two new normals must agree, or the flip makes a fold.
        flipped = (top, bottom, second), (bottom, top, first)
        normals = [_normal(*(self.vertices[vertex] for vertex in face)) for face in flipped]
        old = [_normal(*(self.vertices[vertex] for vertex in self.faces[index])) for index in (left, right)]
        if min(_cosine(new, before) for new in normals for before in old) < _FOLD:
            return False
        self._replace(left, flipped[0])
        self._replace(right, flipped[1])
        return True

    def _folds(self, moved: int, place: tuple, removed: set) -> bool:
        for index in self.around[moved] - removed:
            face = self.faces[index]
            before = [self.vertices[vertex] for vertex in face]
            after = [place if vertex == moved else self.vertices[vertex] for vertex in face]
            if _cosine(_normal(*before), _normal(*after)) < _FOLD:
                return True
        return False

    def _remove(self, index: int) -> None:
        for vertex in self.faces[index]:
            self.around[vertex].discard(index)
        self.faces[index] = ()
        self.face_count -= 1

    def _add(self, face: tuple) -> None:
        for vertex in face:
            self.around[vertex].add(len(self.faces))
        self.faces.append(face)
        self.face_count += 1

    def _replace(self, index: int, face: tuple) -> None:
        for vertex in self.faces[index]:
            self.around[vertex].discard(index)
        for vertex in face:
            self.around[vertex].add(index)
        self.faces[index] = face


def collapse_to(mesh: EditableMesh, size, face_count: int) -> None:
    """Collapse the edges that are shortest for their place until exactly `face_count` faces are left.

    size: function of points [N, 3] -> wished edge length [N], metres.
    """
    lengths = size(np.array(mesh.vertices)).tolist()

    def relative(first, second):
        a, b = mesh.vertices[first], mesh.vertices[second]
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5 / (lengths[first] + lengths[second])

    edges = find_edges(mesh.live_faces())[0].tolist()
    heap = [(relative(first, second), first, second) for first, second in edges]
    heapq.heapify(heap)
    while mesh.face_count > face_count:
        length, first, second = heapq.heappop(heap)
        shared = mesh.around[first] & mesh.around[second]
        if not shared or relative(first, second) != length:
            continue
        # The last step may need a single face: only a boundary edge removes one.
        if mesh.face_count - len(shared) < face_count or not mesh.collapse(first, second):
            continue
        kept = first if mesh.around[first] else second
        for other in mesh.neighbours(kept):
            heapq.heappush(heap, (relative(kept, other), *sorted((kept, other))))


def split_longest(mesh: EditableMesh, size, count: int) -> None:
    """Split the `count` interior edges that are longest for their place."""
    vertices = np.array(mesh.vertices)
    wished = size(vertices)
    edges, _, _ = find_edges(mesh.live_faces())
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1) / wished[edges].sum(axis=1)
    for first, second in edges[np.argsort(-lengths, kind="stable")[:count]].tolist():
        mesh.split(first, second)


def flip_to_delaunay(mesh: EditableMesh) -> int:
    """One sweep of flips of edges whose opposite angles sum to more than 180 degrees; returns how many."""
    vertices = np.array(mesh.vertices)
    faces = mesh.live_faces()
    edges, edge_of_half, counts = find_edges(faces)
    angles = np.bincount(edge_of_half, _opposite_angles(vertices, faces).ravel())
    wrong = np.flatnonzero((counts == 2) & (angles > np.pi + 1e-3))
    return sum(mesh.flip(*edges[index].tolist()) for index in wrong[np.argsort(-angles[wrong], kind="stable")])


def find_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The edges [E, 2] of faces [F, 3], the edge [3F] of each half edge, and the number [E] of faces at each edge.

    Half edges are first all (0, 1) of the faces, then (1, 2), then (2, 0).
    """
    halves = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, edge_of_half, counts = np.unique(np.sort(halves, axis=1), axis=0, return_inverse=True, return_counts=True)
    return edges, edge_of_half.ravel(), counts


def boundary_edges(faces: np.ndarray) -> np.ndarray:
    """[E, 2]: the edges of faces [F, 3] that only one face has."""
    edges, _, counts = find_edges(faces)
    return edges[counts == 1]


def _opposite_angles(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[3, F]: the angle opposite to each half edge, in the order of `find_edges`."""
    corners = vertices[faces]
    angles = []
    for apex, first, second in ((2, 0, 1), (0, 1, 2), (1, 2, 0)):
        a, b = corners[:, first] - corners[:, apex], corners[:, second] - corners[:, apex]
        angles.append(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))
    return np.stack(angles)


def _runs(face: tuple, first: int, second: int) -> bool:
    """Does the edge first -> second run along the face's own direction?"""
    return face[(face.index(first) + 1) % 3] == second


def _third(face: tuple, first: int, second: int) -> int:
    return next(vertex for vertex in face if vertex not in (first, second))


def _normal(a: tuple, b: tuple, c: tuple) -> tuple:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def _cosine(a: tuple, b: tuple) -> float:
    product = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    scale = (a[0] * a[0] + a[1] * a[1] + a[2] * a[2]) * (b[0] * b[0] + b[1] * b[1] + b[2] * b[2])
    return product / scale**0.5 if scale > 0 else 1.0
