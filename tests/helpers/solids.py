"""What a closed surface of triangles encloses, and where it cuts itself."""

import numpy as np
from scipy.spatial import cKDTree


def volume(vertices, faces, around=(0.0, 0.0, 0.0)):
    a, b, c = np.moveaxis(vertices[faces] - around, 1, 0)
    return np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6


def winding_number(points, vertices, faces):
    """[N]: 1 inside, 0 outside a closed surface (van Oosterom and Strackee's solid angles)."""
    a, b, c = (vertices[faces[:, k]] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    top = np.einsum("nfi,nfi->nf", a, np.cross(b, c))
    bottom = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(top, bottom).sum(axis=1) / (2 * np.pi)


def crossing_pairs(vertices, faces):
    """How many pairs of triangles without a common vertex cut each other: an edge of one passes through the other."""
    corners = vertices[faces]
    centres = corners.mean(axis=1)
    reach = np.linalg.norm(corners - centres[:, None], axis=2).max(axis=1)
    near = cKDTree(centres).query_ball_point(centres, 2 * reach)  # all that are no larger and could touch
    pairs = np.stack([np.repeat(np.arange(len(faces)), list(map(len, near))), np.concatenate(near).astype(int)], axis=1)
    low, high = corners.min(axis=1), corners.max(axis=1)
    first, second = pairs.T
    overlap = ((low[first] <= high[second]) & (low[second] <= high[first])).all(axis=1)
    pairs = pairs[overlap & ((reach[first] > reach[second]) | ((reach[first] == reach[second]) & (first < second)))]
    apart = (faces[pairs[:, 0], :, None] != faces[pairs[:, 1], None, :]).all(axis=(1, 2))
    pairs = np.concatenate([pairs[apart], pairs[apart][:, ::-1]])
    count = 0
    for start, end in ((0, 1), (1, 2), (2, 0)):
        first, second = corners[pairs[:, 0]], corners[pairs[:, 1]]
        origin, step = first[:, start], first[:, end] - first[:, start]
        u_axis, v_axis = second[:, 1] - second[:, 0], second[:, 2] - second[:, 0]
        normal = np.cross(u_axis, v_axis)
        offset = second[:, 0] - origin
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (offset * normal).sum(1) / (step * normal).sum(1)
            turned = np.cross(offset, step)
            u = (v_axis * turned).sum(1) / (step * normal).sum(1)
            v = -(u_axis * turned).sum(1) / (step * normal).sum(1)
        count += int(((share >= 0) & (share <= 1) & (u >= 0) & (v >= 0) & (u + v <= 1)).sum())
    return count
