"""A tree of boxes around triangles, for numpy: each step tests a whole level of the tree."""

import numpy as np

LEAF = 4  # triangles in a smallest box
MARGIN = 1e-9  # share of the coordinates: the rounding error of a box test
TINY = 1e-30  # replaces a 0 in a direction, by which a box test would divide


class BoxTree:
    """Boxes around triangles with corners [F, 3, 3]; a box of one level contains two boxes of the next."""

    def __init__(self, corners: np.ndarray):
        finite = np.flatnonzero(np.isfinite(corners).all(axis=(1, 2)))
        depth = max(int(np.ceil(np.log2(max(len(finite), 1) / LEAF))), 0)
        places = np.full(LEAF * 2**depth, -1)
        places[: len(finite)] = finite
        self._leaves = _halved(corners.mean(axis=1), places, depth).reshape(-1, LEAF)

        # an empty place (-1) is NaN: fmin and fmax ignore it, and no ray enters it
        nothing = np.full((1, 3), np.nan)
        low = np.fmin.reduce(np.append(corners.min(axis=1), nothing, axis=0)[self._leaves], axis=1)
        high = np.fmax.reduce(np.append(corners.max(axis=1), nothing, axis=0)[self._leaves], axis=1)
        margin = MARGIN * np.abs(corners[finite]).max(initial=0)
        levels = [(low - margin, high + margin)]
        for _ in range(depth):
            low, high = levels[-1]
            levels.append((np.fmin(low[::2], low[1::2]), np.fmax(high[::2], high[1::2])))
        self._levels = [(low.T.copy(), high.T.copy()) for low, high in levels[::-1]]

    def entered(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (ray [N], triangle [N]): the triangles in the smallest boxes that rays [R, 3] enter."""
        starts = origins.T.astype(np.float64)
        steps = 1 / np.where(np.abs(directions) < TINY, TINY, directions).T.astype(np.float64)
        ray, box = np.arange(len(origins)), np.zeros(len(origins), int)
        for level, ends in enumerate(self._levels):
            if level:
                ray, box = np.repeat(ray, 2), np.repeat(2 * box, 2)
                box[1::2] += 1
            # the part of the ray between the two planes of each axis
            enter, leave = np.zeros(len(ray)), np.full(len(ray), np.inf)
            for axis in range(3):
                start, step = starts[axis].take(ray), steps[axis].take(ray)
                low, high = ((end[axis].take(box) - start) * step for end in ends)
                np.maximum(enter, np.minimum(low, high), out=enter)
                np.minimum(leave, np.maximum(low, high), out=leave)
            inside = enter <= leave
            ray, box = ray[inside], box[inside]
        ray, triangle = np.repeat(ray, LEAF), self._leaves[box].ravel()
        return ray[triangle >= 0], triangle[triangle >= 0]


def _halved(centres: np.ndarray, places: np.ndarray, depth: int) -> np.ndarray:
    """Numbers of points [F, 3], -1 for none, in an order whose halves, quarters and so on lie together in space."""
    for level in range(depth):
        places = places.reshape(2**level, -1)
        points = np.where(places[..., None] < 0, np.nan, centres[places])
        longest = (np.fmax.reduce(points, axis=1) - np.fmin.reduce(points, axis=1)).argmax(axis=1)
        along = np.take_along_axis(points, longest[:, None, None], axis=2)[..., 0]
        places = np.take_along_axis(places, along.argsort(axis=1, kind="stable"), axis=1)
    return places
