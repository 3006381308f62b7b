"""Check that a mesh is a closed body with a left and a right half, and pair its vertices.

The unwrapper works on one half only and mirrors the result. So it needs a closed manifold surface
without handles, a pairing of vertices that maps triangles to triangles across the plane x = 0,
and one loop of vertices that lie on that plane (the midline). Positions need not agree exactly:
SMPL is symmetric only to some millimetres, and then the pairing is followed along the triangles.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from scipy.spatial import cKDTree

from utils.errors import UserError

MIRROR = np.array([-1.0, 1.0, 1.0])
FAR_PAIR = 0.05  # share of the body's height: if mirror partners are farther apart, the body is asymmetric


def check_closed_genus_zero(vertices: np.ndarray, faces: np.ndarray) -> None:
    """UserError, with the place, unless the mesh [V, 3], [F, 3] is closed, manifold, of genus 0 and in one piece."""
    count = len(vertices)
    used = np.zeros(count, bool)
    used[faces] = True
    if not used.all():
        raise UserError(f"The mesh has {(~used).sum()} vertices in no triangle (the first: {np.argmin(used)}).")
    degenerate = np.flatnonzero((faces == np.roll(faces, 1, axis=1)).any(axis=1))
    if degenerate.size:
        raise UserError(f"Triangle {degenerate[0]} of the mesh names a vertex twice: {faces[degenerate[0]].tolist()}.")
    edges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    keys, occurrences = np.unique(edges @ [count, 1], return_counts=True)
    reversed_keys = (keys % count) * count + keys // count
    if (occurrences > 1).any():
        where = _where(vertices, keys[np.argmax(occurrences > 1)])
        raise UserError(f"The mesh is not manifold or not oriented: an edge is used twice the same way {where}.")
    open_edge = ~np.isin(reversed_keys, keys)
    if open_edge.any():
        where = _where(vertices, keys[np.argmax(open_edge)])
        raise UserError(f"The mesh is open: {open_edge.sum()} border edges, one of them {where}. Close the holes.")
    fans = len(np.unique(split_corners(faces, np.zeros((0, 2), np.int64), count)))
    if fans != count:
        raise UserError(f"The mesh is not manifold: {fans - count} vertices join sheets that touch in a point only.")
    parts, part = scipy.sparse.csgraph.connected_components(_adjacency(edges, count), directed=False)
    if parts != 1:
        sizes = sorted(np.bincount(part).tolist(), reverse=True)
        listed = ", ".join(map(str, sizes[:4])) + (", ..." if parts > 4 else "")
        raise UserError(
            f"The mesh consists of {parts} separate pieces (of {listed} vertices), expected one body. "
            "Leave out what is no skin, such as eyes, tongue and teeth."
        )
    handles = (2 - (count - len(keys) // 2 + len(faces))) // 2
    if handles:
        raise UserError(f"The mesh has {handles} handles (genus {handles}), expected a surface like a sphere.")


def _where(vertices: np.ndarray, key: int) -> str:
    a, b = divmod(int(key), len(vertices))
    x, y, z = vertices[[a, b]].mean(axis=0)
    return f"between vertices {a} and {b} near ({x:.3f}, {y:.3f}, {z:.3f})"


def _adjacency(edges: np.ndarray, count: int) -> scipy.sparse.coo_matrix:
    return scipy.sparse.coo_matrix((np.ones(len(edges)), edges.T), (count, count))


def split_corners(faces: np.ndarray, cut_edges: np.ndarray, count: int) -> np.ndarray:
    """Number the corners of a mesh after it is cut open along edges.

    Corners of one vertex get the same number if their triangles are joined across edges that are not cut.

    Args:
        faces: [F, 3]. cut_edges: [N, 2], in any direction. count: number of vertices.
    Returns:
        [F, 3] int64, numbers from 0 of the vertices of the cut mesh.
    """
    corner = np.arange(faces.size).reshape(-1, 3)
    start, end = faces, np.roll(faces, -1, axis=1)
    low, high = np.minimum(start, end).ravel(), np.maximum(start, end).ravel()
    key = low * count + high
    # the corner at the lower and at the higher vertex of every side of every triangle
    at_low = np.where(start < end, corner, np.roll(corner, -1, axis=1)).ravel()
    at_high = np.where(start < end, np.roll(corner, -1, axis=1), corner).ravel()
    order = np.argsort(key, kind="stable")
    cut = np.isin(key, cut_edges.min(axis=1) * count + cut_edges.max(axis=1))
    joined = (key[order][1:] == key[order][:-1]) & ~cut[order][1:]
    one, other = order[:-1][joined], order[1:][joined]
    links = np.concatenate([np.stack([at_low[one], at_low[other]], 1), np.stack([at_high[one], at_high[other]], 1)])
    return scipy.sparse.csgraph.connected_components(_adjacency(links, faces.size), directed=False)[1].reshape(-1, 3)


def mirror_partners(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The mirror partner of every vertex across x = 0; a vertex of the midline is its own partner.

    Args:
        vertices: [V, 3], x to the side. faces: [F, 3].
    Returns:
        [V] int64, an involution.
    """
    mirrored = vertices * MIRROR
    nearest = cKDTree(vertices).query(mirrored)[1]
    everything = np.arange(len(vertices))
    if not (nearest[nearest] == everything).all():
        nearest = _follow_triangles(vertices, faces, nearest)
    gap = np.linalg.norm(vertices[nearest] - mirrored, axis=1)
    worst = int(gap.argmax())
    if gap[worst] > FAR_PAIR * np.ptp(vertices[:, 1]):
        raise UserError(
            f"The mesh is not left-right symmetric about x = 0: vertex {worst} at "
            f"({', '.join(f'{x:.3f}' for x in vertices[worst])}) has no mirror image within {gap[worst]:.3f}."
        )
    return nearest


def _follow_triangles(vertices: np.ndarray, faces: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Pair the vertices along the triangles, from a seed where the nearest vertices agree.

    A mirror image reverses every triangle; once one triangle's image is known, each neighbour's
    image is the triangle across the mirrored edge.
    """
    opposite = {}
    for a, b, c in faces.tolist():
        opposite[a, b], opposite[b, c], opposite[c, a] = c, a, b
    gap = np.linalg.norm(vertices[nearest] - vertices * MIRROR, axis=1)
    agrees = (nearest[nearest] == np.arange(len(vertices)))[faces].all(axis=1)
    for seed in np.lexsort((gap[faces].max(axis=1), ~agrees))[:20]:
        partner = _walk(opposite, faces[seed].tolist(), nearest[faces[seed]].tolist(), len(vertices))
        if partner is not None and (partner[partner] == np.arange(len(vertices))).all():
            return partner
    raise UserError(
        "The mesh is not left-right symmetric about x = 0: its triangles have no mirror images "
        f"({(~agrees).sum()} of {len(faces)} triangles have no partner by position)."
    )


def _walk(opposite: dict, seed: list, image: list, count: int) -> np.ndarray | None:
    """Extend the image of one triangle to the whole mesh; None if two ways to a vertex disagree."""
    partner = np.full(count, -1, np.int64)
    partner[seed] = image
    a, b, c = seed
    waiting, seen = [(a, b), (b, c), (c, a)], set()
    while waiting:
        a, b = waiting.pop()
        if (a, b) in seen:
            continue
        seen.add((a, b))
        # the triangle on this edge, and its image on the mirrored edge, which runs the other way
        c, d = opposite[a, b], opposite.get((partner[b], partner[a]))
        if d is None or partner[c] not in (-1, d):
            return None
        partner[c] = d
        waiting += [(c, b), (a, c)]
        seen.add((b, c))
        seen.add((c, a))
    return partner
