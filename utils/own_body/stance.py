"""The stance of a body mesh in its file: which way it stands and faces, where its middle is, and in which unit.

The program expects y up, facing +z, the person's left at +x, the symmetry plane at x = 0, and metres. Other meshes are
as common: Blender writes z up, Maya centimetres, MakeHuman decimetres. The geometry alone tells the stance: a body is
symmetric only from left to right, its midline reaches the crown but not the soles, and its feet reach farther forward
than back. Left and right look alike, so the mirror image of a right stance is accepted.
"""

import numpy as np
from scipy.spatial import cKDTree

from utils.errors import UserError

LOWEST, HIGHEST = 0.3, 3.0  # metres: between a newborn and a giant
UNITS = {"kilometres": 1e3, "decimetres": 0.1, "centimetres": 0.01, "millimetres": 0.001}
# a plane is the symmetry plane if mirroring across it fits the vertices this many times better than across the others
CLEAR = 2.0
OFF_MIDDLE = 0.02  # share of the height: the middle of an asymmetric body may lie this far from x = 0
SAMPLE = 2000  # number of vertices that the symmetry is judged by
WORST = (
    95  # percentile of the distances from the mirror image that counts: front and back of a body differ at few places
)
SOLE, SHIN = 0.05, (0.12, 0.25)  # heights of a foot and of the shin above it, as shares of the body's height
# a body has legs if its midline ends this far above its lowest point, as a share of the height
LEGS = 0.15
UNEVEN = 0.15  # toes reach farther than heels by at least this share of a foot's length


def check_stance(vertices: np.ndarray, faces: np.ndarray) -> None:
    """UserError, with what to do, unless the stance of a body [V, 3], [F, 3] is the expected one.

    If the geometry does not tell, as for the front of a body without feet, the stance is accepted.
    """
    corners = vertices[faces]
    if np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0:
        raise UserError("The triangles of the mesh face inward. Reverse each of them: faces[:, ::-1].")
    turn = find_turn(vertices, faces)
    if turn is not None and not np.array_equal(turn, np.eye(3)):
        raise UserError(
            f"The body stands along {axis_name(turn[1])} and faces {axis_name(turn[2])}, expected y up and facing +z. "
            f"Turn it in every one of its files: (x, y, z) becomes ({', '.join(map(_coordinate, turn))})."
        )
    check_height(np.ptp(vertices[:, 1]))
    middle = (vertices[:, 0].max() + vertices[:, 0].min()) / 2
    if turn is not None and abs(middle) > OFF_MIDDLE * np.ptp(vertices[:, 1]):
        raise UserError(
            f"The mesh is not left-right symmetric about x = 0 but about x = {middle:.3f}. "
            "Subtract that from x in every file of the body."
        )


def check_height(height: float) -> None:
    """UserError, with the likely unit, for a body that is not some metres high."""
    if LOWEST <= height <= HIGHEST:
        return
    likely = [(name, factor) for name, factor in UNITS.items() if LOWEST <= height * factor < HIGHEST]
    cure = "Scale it to metres in every one of its files"
    cure += f"; if these are {likely[0][0]}, multiply by {likely[0][1]:g}." if likely else "."
    raise UserError(f"The body is {height:.4g} high, expected {LOWEST} to {HIGHEST} (metres). {cure}")


def find_turn(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray | None:
    """The rotation [3, 3] by quarter turns that gives a body the expected stance; None if the geometry does not tell.

    `vertices @ turn.T` is the turned body. Its rows are the person's left, up and front in the axes of the file.
    """
    side = _side(vertices)
    if side is None:
        return None
    long, short = sorted((axis for axis in range(3) if axis != side), key=lambda axis: -np.ptp(vertices[:, axis]))
    up = _up(vertices, faces, side, long)
    front = 0.0 if up == 0 else _front(vertices, up * vertices[:, long], vertices[:, short])
    if front == 0:
        return None
    turn = np.zeros((3, 3))
    turn[1, long], turn[2, short] = up, front
    turn[0] = np.cross(turn[1], turn[2])
    return turn


def axis_name(direction: np.ndarray) -> str:
    """The axis nearest to a direction [3], as +x, -x, +y ..."""
    axis = int(np.abs(direction).argmax())
    return f"{'+' if direction[axis] > 0 else '-'}{'xyz'[axis]}"


def _coordinate(row: np.ndarray) -> str:
    return axis_name(row).removeprefix("+")


def _side(vertices: np.ndarray) -> int | None:
    """The axis across which the body is symmetric; None if that is not clear."""
    points = vertices[np.linspace(0, len(vertices) - 1, min(SAMPLE, len(vertices))).astype(int)]
    tree, gaps = cKDTree(vertices), []
    for axis in range(3):
        image = points.copy()
        image[:, axis] = vertices[:, axis].max() + vertices[:, axis].min() - image[:, axis]
        gaps.append(np.percentile(tree.query(image)[0], WORST))
    best = int(np.argmin(gaps))
    return best if CLEAR * gaps[best] < sorted(gaps)[1] else None


def _up(vertices: np.ndarray, faces: np.ndarray, side: int, long: int) -> float:
    """1 if the head is at the high end of the axis `long`, -1 if it is at the low end, 0 if that is not clear."""
    across = vertices[faces][:, :, side]
    middle = (vertices[:, side].max() + vertices[:, side].min()) / 2
    midline = vertices[faces[(across.min(axis=1) <= middle) & (across.max(axis=1) >= middle)], long]
    low, high = vertices[:, long].min(), vertices[:, long].max()
    between_legs = np.array([midline.min() - low, high - midline.max()])
    return float(np.sign(between_legs[0] - between_legs[1])) * (between_legs.max() > LEGS * (high - low))


def _front(vertices: np.ndarray, level: np.ndarray, depth: np.ndarray) -> float:
    """1 if the toes point to the high end of `depth` [V], -1 if they point to the low end, 0 if that is not clear."""
    height = (level - level.min()) / np.ptp(level)
    shin = depth[(height > SHIN[0]) & (height < SHIN[1])]
    foot = depth[height < SOLE]
    if not len(shin):
        return 0.0
    middle = (shin.max() + shin.min()) / 2
    longer = (foot.max() - middle) - (middle - foot.min())
    return float(np.sign(longer)) * (abs(longer) > UNEVEN * np.ptp(foot))
