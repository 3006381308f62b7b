"""Cut one half of a symmetric body open along hidden lines, so that it can be laid flat in one piece.

The half's border is the midline loop. Its front chain, from crown to crotch, becomes the axis of
the atlas; its back chain opens the head and the back. From there slits run to the tips of the
limbs: from the crotch along the inside of the leg to the toes, and from the back midline along the
back of the arm to the fingertips. Tips are the far maxima of the distance from the midline.
Bodies stand upright along y and face +z.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from atlas.unwrap.symmetry import MIRROR, check_closed_genus_zero, mirror_partners, split_corners
from utils.errors import UserError
from utils.own_body.stance import check_stance

LIMB_SHARE = 0.2  # a bump is a limb if it stands out by this share of the longest distance from the midline
SEEN_FROM = np.array([0.45, 0.35, 1.0])  # direction to the viewer: in front, outside, a little above
SEEN_COST = 6.0  # a step of a path costs this many times its length more where the viewer sees it fully
CROWDED_COST = 4.0  # and this many times its length more for each further vertex of the midline that it touches
CROTCH_REACH = 0.03  # of the body's height: how far behind the lowest point of the midline a leg's slit may start


@dataclass(frozen=True)
class CutHalf:
    """The half x >= 0 of a body, cut open to a disc of N points with one border loop.

    source: [N] vertex of the body mesh that a point belongs to.
    positions: [N, 3], metres, averaged over both halves.
    faces: [n, 3] points: the triangles of the left half and the mirror images of those of the right
        half, which are the same unless quads were split differently.
    left_faces, left_index: [n_left, 3] points of the left half's triangles, and their numbers [n_left]
        in the body mesh. right_faces, right_index: the same of the right half (mirror images).
    border: [L] points, crown first, down the front midline to the crotch (position `crotch` in the
        loop), around the slits and up the back.
    partner: [V] the mirror partner of each vertex of the body mesh.
    """

    source: np.ndarray
    positions: np.ndarray
    faces: np.ndarray
    left_faces: np.ndarray
    left_index: np.ndarray
    right_faces: np.ndarray
    right_index: np.ndarray
    border: np.ndarray
    crotch: int
    partner: np.ndarray


def cut_half(vertices: np.ndarray, faces: np.ndarray) -> CutHalf:
    """Check the body mesh (vertices [V, 3], faces [F, 3]), take its half x >= 0 and cut that open."""
    check_closed_genus_zero(vertices, faces)
    check_stance(vertices, faces)
    partner = mirror_partners(vertices, faces)
    positions = (vertices + vertices[partner] * MIRROR) / 2
    left_index, right_index = _sides(positions, faces, partner)
    left, right = faces[left_index], partner[faces[right_index]][:, ::-1]
    loop = _midline(left, positions)
    crown, crotch = loop[positions[loop, 1].argmax()], loop[positions[loop, 1].argmin()]
    loop = np.roll(loop, -int(np.flatnonzero(loop == crown)[0]))
    split = int(np.flatnonzero(loop == crotch)[0])
    cut_edges, split = _slits(positions, left, right, loop, split)

    corners = split_corners(left, cut_edges, len(vertices))
    source = np.zeros(corners.max() + 1, np.int64)
    source[corners] = left
    border = _border(corners)
    start = int(np.flatnonzero(source[border] == crown)[0])
    border = np.roll(border, -start)
    right_corners = _match(split_corners(right, cut_edges, len(vertices)), right, border, source, crown)
    both = np.concatenate([corners, right_corners])
    first = both.argmin(axis=1)[:, None]
    canonical = np.take_along_axis(both, (first + np.arange(3)) % 3, axis=1)
    return CutHalf(
        source=source,
        positions=positions[source],
        faces=np.unique(canonical, axis=0),
        left_faces=corners,
        left_index=left_index,
        right_faces=right_corners[:, ::-1],
        right_index=right_index,
        border=border,
        crotch=split,
        partner=partner,
    )


def _sides(positions: np.ndarray, faces: np.ndarray, partner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the left (x >= 0) and of the right half.

    Without its midline a body falls into two pieces. The sign of x alone would put some vertices beside
    the midline on the wrong side, because bodies are symmetric only to some millimetres.
    """
    midline = partner == np.arange(len(partner))
    edges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges = edges[~midline[edges].any(axis=1)]
    pieces, piece = connected_components(_graph(edges, np.ones(len(edges)), len(partner)), directed=False)
    side = np.where(midline, 0, np.sign(positions[:, 0])).astype(np.int64)
    if pieces == 2 + midline.sum():
        left = piece == piece[np.argmax(np.where(midline, -np.inf, positions[:, 0]))]
        side = np.where(midline, 0, np.where(left, 1, -1))
    low, high = side[faces].min(axis=1), side[faces].max(axis=1)
    crossing = np.flatnonzero((low < 0) & (high > 0) | (low == 0) & (high == 0))
    if crossing.size:
        x, y, z = positions[faces[crossing[0]]].mean(axis=0)
        raise UserError(
            f"{crossing.size} triangles cross the symmetry plane x = 0, the first ({crossing[0]}) near "
            f"({x:.3f}, {y:.3f}, {z:.3f}). The body needs a loop of edges on the plane."
        )
    return np.flatnonzero(high > 0), np.flatnonzero(low < 0)


def _border(faces: np.ndarray) -> np.ndarray:
    """The border loop of a disc, in the direction of its triangles; UserError unless it is one loop."""
    count = faces.max() + 1
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    outer = ~np.isin(start * count + end, end * count + start)
    following = dict(zip(start[outer].tolist(), end[outer].tolist(), strict=True))
    loop = [int(start[outer][0])]
    while len(loop) <= len(following) and (step := following[loop[-1]]) != loop[0]:
        loop.append(step)
    if len(loop) != outer.sum():
        raise UserError(f"The half of the body has {outer.sum()} border edges in several loops, expected one midline.")
    return np.array(loop)


def _midline(left: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The midline loop of vertices, in the direction of the left half's triangles."""
    used, compact = np.unique(left, return_inverse=True)
    if len(used) == 0:
        raise UserError("The mesh has no triangle on the side x > 0.")
    return used[_border(compact.reshape(-1, 3))]


def _slits(positions, left, right, loop, split) -> tuple[np.ndarray, int]:
    """Edges [N, 2] along which the half is cut, and the place in the midline loop where a leg's slit starts.

    A leg's slit starts at the crotch or a little behind it, the others at the back midline.
    """
    count = len(positions)
    edges = np.intersect1d(_edge_keys(left, count), _edge_keys(right, count))  # a slit must exist on both sides
    edges = np.stack([edges // count, edges % count], axis=1)
    length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    tips = _limb_tips(_graph(edges, length, count), positions, loop)
    on_loop = np.zeros(count)
    on_loop[loop] = 1
    crowd = np.maximum(_graph(edges, np.ones(len(edges)), count) @ on_loop - 1, 0) * (1 - on_loop)
    effort = 1 + SEEN_COST * _visibility(positions, left) + CROWDED_COST * crowd
    cost = length * effort[edges].mean(axis=1)

    blocked = on_loop > 0
    behind = np.linalg.norm(positions[loop[split:]] - positions[loop[split]], axis=1)
    crotch_roots = loop[split:][np.cumsum(behind > CROTCH_REACH * np.ptp(positions[:, 1])) == 0]
    path_edges = [np.zeros((0, 2), np.int64)]
    for number, tip in enumerate(tips):
        is_leg = number == 0 and len(tips) > 1
        path = _cheapest_path(edges, cost, blocked, tip, crotch_roots if is_leg else loop[split + 1 :])
        if is_leg:
            split = int(np.flatnonzero(loop == path[0])[0])
        path_edges.append(np.stack([path[:-1], path[1:]], axis=1))
        blocked[path] = True
    return np.concatenate(path_edges), split


def _edge_keys(faces: np.ndarray, count: int) -> np.ndarray:
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    return np.unique(np.minimum(start, end) * count + np.maximum(start, end))


def _graph(edges: np.ndarray, cost: np.ndarray, count: int) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix((np.tile(cost, 2), np.concatenate([edges, edges[:, ::-1]]).T), (count, count))


def _visibility(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How well a viewer in front sees each vertex: 0 (turned away) to 1 (facing)."""
    a, b, c = (positions[faces[:, k]] for k in range(3))
    normals = np.zeros_like(positions)
    for k in range(3):
        np.add.at(normals, faces[:, k], np.cross(b - a, c - a))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return np.clip(0.5 + 0.5 * normals @ (SEEN_FROM / np.linalg.norm(SEEN_FROM)), 0, 1) ** 2


def _limb_tips(graph: scipy.sparse.csr_matrix, positions: np.ndarray, loop: np.ndarray) -> list[int]:
    """Tips of the limbs, lowest first: far maxima of the distance from the midline that stand out.

    Vertices are visited from far to near. Where two hills meet in a pass, the lower peak stands out by
    its height above the pass.
    """
    distance = dijkstra(graph, indices=loop, min_only=True)
    reached = np.isfinite(distance)
    peak_of: dict[int, int] = {}
    prominence: dict[int, float] = {}

    def top(vertex):
        while peak_of[vertex] != vertex:
            peak_of[vertex] = peak_of[peak_of[vertex]]
            vertex = peak_of[vertex]
        return vertex

    order = np.flatnonzero(reached)
    for vertex in order[np.argsort(-distance[order], kind="stable")].tolist():
        neighbours = graph.indices[graph.indptr[vertex] : graph.indptr[vertex + 1]].tolist()
        peaks = sorted({top(n) for n in neighbours if n in peak_of}, key=lambda p: -distance[p])
        peak_of[vertex] = peaks[0] if peaks else vertex
        for lower in peaks[1:]:
            prominence[lower] = distance[lower] - distance[vertex]
            peak_of[lower] = peaks[0]
    summit = int(np.argmax(np.where(reached, distance, -1)))
    prominence[summit] = distance[summit]
    tips = [peak for peak, height in prominence.items() if height > LIMB_SHARE * distance[summit]]
    return sorted(tips, key=lambda tip: positions[tip, 1])


def _cheapest_path(edges, cost, blocked, tip, roots) -> np.ndarray:
    """Vertices of the cheapest path from one of `roots` to `tip` that meets no other blocked vertex."""
    allowed = ~blocked
    allowed[roots] = True
    inner = allowed[edges].all(axis=1) & ~np.isin(edges, roots).all(axis=1)  # never along the midline itself
    graph = _graph(edges[inner], cost[inner], len(blocked))
    distance, before, _ = dijkstra(graph, indices=roots, min_only=True, return_predecessors=True)
    if not np.isfinite(distance[tip]):
        raise UserError(f"No way along edges from the midline to the limb tip at vertex {tip}.")
    path = [tip]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def _match(corners, faces, border, source, crown) -> np.ndarray:
    """Rename the corners of the right half's mirror image to the left half's points.

    An inner point is found by its vertex, and a border point by its place in the border loop, which
    has the same vertices in the same order on both sides.
    """
    vertex = np.zeros(corners.max() + 1, np.int64)
    vertex[corners] = faces
    loop = _border(corners)
    loop = np.roll(loop, -int(np.flatnonzero(vertex[loop] == crown)[0]))
    if not np.array_equal(vertex[loop], source[border]):
        raise UserError("The two halves of the body have different borders: its triangles are not symmetric.")
    point_of_vertex = np.full(max(source.max(), vertex.max()) + 1, -1)
    point_of_vertex[source] = np.arange(len(source))
    renamed = point_of_vertex[vertex]
    renamed[loop] = border
    return renamed[corners]
