"""The meshes of shoes: the convex hulls of the feet at rest, a little larger."""

import numpy as np
from scipy.spatial import ConvexHull

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.hanging import SHOE, Hanging
from utils.joints import NUM_JOINTS, SMPL_JOINTS
from utils.renderer import vertex_normals

LEATHER = 0.005  # metres around the foot
INSTEP = 0.75  # height of a shoe over that of the ankle; the shaft of a boot is the leg, which stands out less


def shoes(vertices: np.ndarray, marks: Landmarks) -> list[Hanging]:
    """Both shoes of a body whose vertices [V, 3] are at rest."""
    return [_shoe(side, vertices, marks) for side in ("left", "right")]


def _shoe(side: str, vertices: np.ndarray, marks: Landmarks) -> Hanging:
    sign, floor = (1.0 if side == "left" else -1.0), marks.leg[3]
    foot = vertices[(sign * vertices[:, 0] > 0) & (vertices[:, 1] < floor + INSTEP * (marks.leg[2] - floor))]
    hull = ConvexHull(foot)
    number = np.full(len(foot), -1)
    number[hull.vertices] = np.arange(len(hull.vertices))
    points, faces = foot[hull.vertices], number[hull.simplices]
    # qhull gives outward normals, and corners in any order
    corners = points[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (across * hull.equations[:, :3]).sum(axis=1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    shell = points + LEATHER * vertex_normals(points, faces)
    shell[:, 1] = np.maximum(shell[:, 1], floor)
    weights = np.zeros((len(shell), NUM_JOINTS))
    weights[:, SMPL_JOINTS.index(f"{side}_ankle")] = 1
    return Hanging(shell, weights, faces, SHOE)
