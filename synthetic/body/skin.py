"""The skin of the generated body: MakeHuman's base mesh, closed over eyes and mouth and thinned out.

The base mesh is closed, but its eye sockets and its mouth are pockets that nobody sees and that take a tenth of its
vertices. They are cut off along the rims of lids and lips, and the holes are filled. The nipples are left out likewise.
Then one half is thinned out, and its mirror image is glued on, so the two halves agree exactly. Every vertex is one of
the base mesh.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from synthetic.body.decimation import decimate
from synthetic.body.makehuman import BaseMesh, MakeHuman

NUM_VERTICES = 7000  # about as many as SMPL has
# an edge of hm08 on each rim: of the left lids, the lips and the left nipple. The rims are loops of edges.
RIMS = {"eye": (11466, 11465), "mouth": (417, 416), "nipple": (8434, 8435)}
NOSE = 5054  # its tip
# by which factor errors count more: around eyes, mouth and nose, within these metres; and on fingers and feet
_FACE, _FACE_REACH = 40.0, 0.014
_REGIONS = {"toe": 0.1, "foot": 0.3, "finger": 1.5}  # by the beginning of the bone's name


@dataclass(frozen=True)
class Skin:
    """source [V]: the vertex of the base mesh that each vertex is; faces [F, 3]; mirror [V]: the mirror image of each.

    Vertices of the midline come first, then those of the left half, then those of the right half in the same order.
    """

    source: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray


def make_skin(data: MakeHuman, vertices: np.ndarray) -> Skin:
    """Close, thin out and mirror the base mesh; vertices [N, 3] metres: an average person in its topology."""
    half = close_half(data.mesh, vertices)
    used = np.unique(half)
    on_midline = int((data.mesh.mirror[used] == used).sum())
    thinned = decimate(vertices, half, (NUM_VERTICES + on_midline) // 2, _importance(data, vertices))
    return mirror_half(data.mesh, thinned)


def close_half(mesh: BaseMesh, vertices: np.ndarray) -> np.ndarray:
    """The left half of the skin as triangles [F, 3] of the base mesh, with the pockets cut off and filled."""
    quads = mesh.quads[vertices[mesh.quads, 0].mean(axis=1) > 0]
    caps = []
    for edge in RIMS.values():
        rim = edge_loop(mesh.quads, *edge)
        quads = _cut_off(quads, rim)
        polygon = _left_part(rim, mesh, vertices)
        along = (polygon[0], polygon[1]) in _directed_edges(quads)
        caps.append(fill(polygon[::-1] if along else polygon, vertices))
    return np.concatenate([_triangles(quads, vertices), *caps])


def edge_loop(quads: np.ndarray, first: int, second: int) -> list[int]:
    """The vertices of the loop of edges that starts with one edge; at each vertex it leaves by the opposite of four."""
    around: dict[int, list] = {}
    for quad in quads.tolist():
        for place, vertex in enumerate(quad):
            around.setdefault(vertex, []).append((quad[place - 1], quad[(place + 1) % 4]))
    loop = [first, second]
    while True:
        beside = {other for pair in around[loop[-1]] if loop[-2] in pair for other in pair}
        ahead = {other for pair in around[loop[-1]] for other in pair} - beside
        if len(ahead) != 1:
            raise ValueError(f"vertex {loop[-1]} does not have four edges")
        step = ahead.pop()
        if step == first:
            return loop
        loop.append(step)


def fill(polygon: list[int], vertices: np.ndarray) -> np.ndarray:
    """Triangles [n - 2, 3] over a polygon of vertex numbers: a strip that starts between its first and its last."""
    low, high, triangles = 0, len(polygon) - 1, []
    while high - low > 1:
        ahead, behind = polygon[low + 1], polygon[high - 1]
        by_low = np.linalg.norm(vertices[ahead] - vertices[polygon[high]])
        by_high = np.linalg.norm(vertices[behind] - vertices[polygon[low]])
        if by_low <= by_high:
            triangles.append((polygon[low], ahead, polygon[high]))
            low += 1
        else:
            triangles.append((polygon[low], behind, polygon[high]))
            high -= 1
    return np.array(triangles)


def mirror_half(mesh: BaseMesh, half: np.ndarray) -> Skin:
    """Glue the mirror image to triangles [F, 3] of the left half."""
    used = np.unique(half)
    middle = used[mesh.mirror[used] == used]
    left = used[mesh.mirror[used] != used]
    source = np.concatenate([middle, left, mesh.mirror[left]])
    number = np.full(len(mesh.mirror), -1)
    number[source] = np.arange(len(source))
    right = mesh.mirror[half][:, ::-1]
    return Skin(source, number[np.concatenate([half, right])], number[mesh.mirror[source]])


def _importance(data: MakeHuman, vertices: np.ndarray) -> np.ndarray:
    """[N]: the factors of the errors of the left half."""
    factors = np.ones(len(vertices))
    for bone, (members, shares) in data.weights.items():
        factor = next((value for name, value in _REGIONS.items() if bone.startswith(name)), 1.0)
        factors[members] += shares * (factor - 1)
    features = np.concatenate([[NOSE], *(edge_loop(data.mesh.quads, *RIMS[name]) for name in ("eye", "mouth"))])
    distance, _ = cKDTree(vertices[features]).query(vertices)
    return factors * (1 + _FACE * np.exp(-0.5 * (distance / _FACE_REACH) ** 2))


def _left_part(rim: list[int], mesh: BaseMesh, vertices: np.ndarray) -> list[int]:
    """The rim as a polygon that starts at a narrow end; of a rim that crosses the midline its left part."""
    middle = [place for place, vertex in enumerate(rim) if mesh.mirror[vertex] == vertex]
    if middle:
        first, second = middle
        one, two = rim[first : second + 1], rim[second:] + rim[: first + 1]
        return max(one, two, key=lambda part: vertices[part, 0].mean())
    away = vertices[rim] - vertices[rim].mean(axis=0)
    start = int(np.linalg.norm(away, axis=1).argmax())
    return rim[start:] + rim[:start]


def _cut_off(quads: np.ndarray, rim: list[int]) -> np.ndarray:
    """The quads without those of the smaller piece that the rim separates."""
    edges = np.sort(quads[:, [0, 1, 1, 2, 2, 3, 3, 0]].reshape(-1, 2), axis=1)
    on_rim = np.sort(np.stack([rim, np.roll(rim, -1)], axis=1), axis=1)
    _, number, count = np.unique(np.concatenate([on_rim, edges]), axis=0, return_inverse=True, return_counts=True)
    inner = np.flatnonzero(np.isin(number, number[: len(rim)], invert=True) & (count[number] == 2)) - len(rim)
    order = inner[np.argsort(number[inner + len(rim)], kind="stable")].reshape(-1, 2)
    owner = order // 4
    links = coo_matrix((np.ones(len(owner)), owner.T), (len(quads),) * 2)
    _, piece = connected_components(links, directed=False)
    return quads[piece == np.bincount(piece).argmax()]


def _triangles(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Cut each quad along its shorter diagonal."""
    one = np.linalg.norm(vertices[quads[:, 0]] - vertices[quads[:, 2]], axis=1)
    other = np.linalg.norm(vertices[quads[:, 1]] - vertices[quads[:, 3]], axis=1)
    turned = np.where((one <= other)[:, None], quads, np.roll(quads, -1, axis=1))
    return np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])


def _directed_edges(quads: np.ndarray) -> set[tuple[int, int]]:
    return {(quad[place - 1], quad[place]) for quad in quads.tolist() for place in range(4)}
