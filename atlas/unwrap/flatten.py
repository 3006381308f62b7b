"""Lay a disc flat inside a convex outline with as little distortion as possible and no flipped triangle.

The start is the barycentric map onto the outline (Tutte 1963), which is injective for a convex outline.
Then Newton-like steps reduce the symmetric Dirichlet energy ||J||^2 + ||J^-1||^2 (Smith and Schaefer
2015). The energy is infinite where a triangle collapses, so a line search that keeps it finite keeps
every triangle upright; as the border lies on a convex curve, the whole map stays injective. The first,
bold steps use the quadratic model of SLIM (Rabinovich et al. 2017), which quickly opens crushed triangles.
The later, careful steps use the projected Hessian (Smith, de Goes and Kim 2019).
"""

import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.sparse.linalg

from atlas.unwrap.outline import AXIS, Outline
from utils.errors import UserError

BOLD_DROP = 0.01  # the bold steps end when one step reduces the energy by less than this share
FINAL_DROP = 1e-5  # the same for the careful steps
MOST_STEPS = 200  # Newton steps of one descent
ROUNDS = 3  # number of rounds that ask for more room where the map shrank the body
ROUND_GAIN = 0.4  # exponent of the measured shrinkage in that request
UNTANGLE_SWEEPS = 50  # sweeps over the flipped triangles before it gives up
THINNEST = 0.1  # height of the thinnest triangle, as a share of the square root of the median area
SHRINKAGE_LIMIT = 5.0  # a triangle counts as shrunk or grown by at most this factor


class _Places:
    """The unknowns of the map and the points they stand for.

    Inner points move freely, points of the axis move up and down, and points of the outline move along
    it. The two ends of the axis stay.
    """

    def __init__(self, count: int, border: np.ndarray, crotch: int, outline: Outline):
        self.outline = outline
        self.count = count
        self.axis, self.curve, self.ends = border[1:crotch], border[crotch + 1 :], border[[0, crotch]]
        self.inner = np.setdiff1d(np.arange(count), border)
        self.sizes = np.cumsum([2 * len(self.inner), len(self.axis)])
        self.end_points = outline.point(np.array([np.pi, 0.0]))
        self.end_points[:, 0] = AXIS

    def points(self, unknowns: np.ndarray) -> np.ndarray:
        inner, axis, curve = np.split(unknowns, self.sizes)
        points = np.zeros((self.count, 2))
        points[self.inner] = inner.reshape(-1, 2)
        points[self.axis] = np.stack([np.full(len(axis), AXIS), axis], axis=1)
        points[self.curve] = self.outline.point(curve)
        points[self.ends] = self.end_points
        return points

    def unknowns(self, points: np.ndarray, angles: np.ndarray) -> np.ndarray:
        return np.concatenate([points[self.inner].ravel(), points[self.axis, 1], angles])

    def jacobian(self, unknowns: np.ndarray) -> scipy.sparse.csr_matrix:
        """Derivative [2 * count, unknowns] of the points."""
        angles = np.split(unknowns, self.sizes)[2]
        rows = [
            (2 * self.inner[:, None] + [0, 1]).ravel(),
            2 * self.axis + 1,
            (2 * self.curve[:, None] + [0, 1]).ravel(),
        ]
        first_curve = self.sizes[1] + np.arange(len(self.curve))
        columns = [np.arange(self.sizes[1]), np.repeat(first_curve, 2)]
        values = [np.ones(self.sizes[1]), self.outline.tangent(angles).ravel()]
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return scipy.sparse.csr_matrix(entries, (2 * self.count, len(unknowns)))


class _Energy:
    """Weighted symmetric Dirichlet energy of a planar map of a triangle mesh with given rest shapes."""

    def __init__(self, rest: np.ndarray, faces: np.ndarray, wanted: np.ndarray, room: float):
        """Scale the rest shapes [F, 2, 2] to areas in proportion to `wanted` [F], with the sum `room`."""
        self.faces, self.weights = faces, wanted / wanted.sum()
        rest = rest * np.sqrt(room * self.weights / _areas(rest))[:, None, None]
        inverse = np.linalg.inv(rest)
        self.gradients = np.stack([-inverse.sum(axis=1), inverse[:, 0], inverse[:, 1]], axis=1)  # [F, corner, 2]

    def _jacobians(self, points: np.ndarray) -> np.ndarray:
        return np.einsum("fki,fkj->fij", points[self.faces], self.gradients)

    def value(self, points: np.ndarray) -> float:
        jacobian = self._jacobians(points)
        area = np.linalg.det(jacobian)
        if area.min() <= 0:
            return np.inf
        squares = (jacobian**2).sum(axis=(1, 2))
        return float((self.weights * squares * (1 + area**-2)).sum())

    def derivatives(self, points: np.ndarray, bold: bool) -> tuple[np.ndarray, scipy.sparse.csr_matrix]:
        """Gradient [2 * N] and positive semi-definite Hessian [2 * N, 2 * N] of the energy."""
        left, sigma, right = np.linalg.svd(self._jacobians(points))
        one, two = sigma[:, 0], sigma[:, 1]
        if bold:
            pull = 2 * (sigma + 1) * (sigma**2 + 1) / sigma**3  # energy slope / distance to a stretch of 1
            eigenvalues = np.concatenate([pull, np.repeat(pull.mean(axis=1, keepdims=True), 2, axis=1)], axis=1)
        else:
            product = one * two
            eigenvalues = np.stack(
                [
                    2 + 6 * one**-4,
                    2 + 6 * two**-4,
                    2 + 2 * (one**2 + product + two**2) / product**3,  # flip
                    np.maximum(2 - 2 * (one**2 - product + two**2) / product**3, 0),  # twist
                ],
                axis=1,
            )
        root = np.sqrt(0.5)
        modes = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, root], [root, 0]], [[0, -root], [root, 0]]])
        modes = np.einsum("fij,mjk,fkl->fmil", left, modes, right, optimize=True)
        # a change of corner k by (dx, dy) changes J by (dx, dy) (x) gradient_k
        corner_modes = np.einsum("fmij,fkj->fmki", modes, self.gradients).reshape(len(sigma), 4, 6)
        hessians = np.einsum(
            "fma,fm,fmb->fab", corner_modes, eigenvalues * self.weights[:, None], corner_modes, optimize=True
        )
        slope = (2 * sigma - 2 * sigma**-3) * self.weights[:, None]
        gradients = np.einsum("fma,fm->fa", corner_modes[:, :2], slope)
        index = (2 * self.faces[:, :, None] + [0, 1]).reshape(-1, 6)
        size = 2 * len(points)
        rows, columns = np.repeat(index, 6, axis=1).ravel(), np.tile(index, (1, 6)).ravel()
        hessian = scipy.sparse.csr_matrix((hessians.ravel(), (rows, columns)), (size, size))
        return np.bincount(index.ravel(), gradients.ravel(), minlength=size), hessian


def flatten(positions, faces, more_faces, border, crotch: int, outline: Outline) -> np.ndarray:
    """Map a disc into the outline of a half body, with nearly the same scale everywhere.

    Args:
        positions: [N, 3], metres. faces: [F, 3], the disc.
        more_faces: [G, 3], a superset that must stay upright too. It adds those triangles of the other
            half that are not mirror images of triangles of this half.
        border: [L] loop of border points. Its first `crotch` steps go along the axis from above, the
            others along the outline from below.
    Returns:
        [N, 2] texcoords; every triangle has positive area.
    """
    places = _Places(len(positions), border, crotch, outline)
    unknowns = _tutte(positions, faces, border, crotch, places)
    rest = _rest_shapes(positions[faces])
    unknowns = _descend(_Energy(rest, faces, _areas(rest), outline.area()), places, unknowns)
    unknowns = _untangle(places, unknowns, more_faces)
    rest = _rest_shapes(positions[more_faces])
    wanted = _areas(rest)  # room in the atlas; the rounds give more of it where the map shrinks the body
    for _ in range(ROUNDS):
        growth = np.abs(triangle_areas(places.points(unknowns)[more_faces])) / _areas(rest)
        growth /= np.average(growth, weights=_areas(rest))
        wanted *= np.clip(growth, 1 / SHRINKAGE_LIMIT, SHRINKAGE_LIMIT) ** -ROUND_GAIN
        unknowns = _descend(_Energy(rest, more_faces, wanted, outline.area()), places, unknowns)
    return places.points(unknowns)


def _untangle(places: _Places, unknowns: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Turn those few triangles upright that were not part of the disc.

    Each inner corner of a flipped triangle moves to the place where the smallest of its triangles is as
    large as possible (a linear programme in the place and that area). This ends when none is flipped.
    """
    points = places.points(unknowns)
    movable = np.zeros(places.count, bool)
    movable[places.inner] = True
    for _ in range(UNTANGLE_SWEEPS):
        flipped = faces[triangle_areas(points[faces]) <= 0]
        if not len(flipped):
            break
        for point in np.unique(flipped[movable[flipped]]):
            ring = faces[(faces == point).any(axis=1)]
            first = (ring == point).argmax(axis=1)
            b, c = (points[np.take_along_axis(ring, (first[:, None] + k) % 3, axis=1)[:, 0]] for k in (1, 2))
            # doubled area = normal . (place - b); at least the last unknown
            normal = np.stack([b[:, 1] - c[:, 1], c[:, 0] - b[:, 0]], axis=1)
            rows, limits = np.column_stack([-normal, np.ones(len(ring))]), -(normal * b).sum(axis=1)
            found = scipy.optimize.linprog([0, 0, -1], rows, limits, bounds=[(0, 1), (0, 1), (None, None)])
            points[point] = found.x[:2]
    return places.unknowns(points, np.split(unknowns, places.sizes)[2])


def _rest_shapes(corners: np.ndarray) -> np.ndarray:
    """The triangles [F, 3, 3] in their own planes: [F, 2, 2] with columns b - a and c - a.

    Triangles that are thinner than a share of the usual size count as that thick, so that slivers and
    triangles without area do not dominate the map.
    """
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    thinnest = THINNEST * np.sqrt(np.median(triangle_areas(corners)))
    along = np.maximum(np.linalg.norm(one, axis=1), thinnest)
    height = np.maximum(2 * triangle_areas(corners) / along, thinnest)
    foot = (one * two).sum(axis=1) / along
    return np.stack([np.stack([along, foot], -1), np.stack([np.zeros_like(along), height], -1)], axis=1)


def _areas(rest: np.ndarray) -> np.ndarray:
    return rest[:, 0, 0] * rest[:, 1, 1] / 2


def triangle_areas(corners: np.ndarray) -> np.ndarray:
    """Areas [F] of triangles [F, 3, 3], or signed areas of planar triangles [F, 3, 2]."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    if corners.shape[2] == 2:
        return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    return np.linalg.norm(np.cross(one, two), axis=1) / 2


def _tutte(positions, faces, border, crotch, places) -> np.ndarray:
    """Unknowns of the barycentric map: border points by length along the outline, inner points by averages."""
    steps = np.linalg.norm(positions[border] - positions[np.roll(border, -1)], axis=1)
    axis = np.cumsum(steps[:crotch]) / steps[:crotch].sum()
    curve = np.cumsum(steps[crotch:]) / steps[crotch:].sum()
    angles = np.linspace(0, np.pi, 4001)
    lengths = np.linalg.norm(np.diff(places.outline.point(angles), axis=0), axis=1).cumsum()
    angles = np.interp(curve[:-1], np.append(0, lengths / lengths[-1]), angles)
    points = np.zeros((len(positions), 2))
    top, bottom = places.end_points
    points[places.ends] = places.end_points
    points[places.axis] = top + axis[:-1, None] * (bottom - top)
    points[places.curve] = places.outline.point(angles)

    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    links = scipy.sparse.csr_matrix((np.ones(faces.size), (start, end)), (len(positions),) * 2)
    links = ((links + links.T) > 0).astype(np.float64)
    laplacian = scipy.sparse.diags(np.asarray(links.sum(axis=1)).ravel()) - links
    inner = laplacian[places.inner].tocsc()
    fixed = inner @ points  # the rows of inner points are still zero, so this is the contribution of the border
    points[places.inner] = scipy.sparse.linalg.splu(inner[:, places.inner].tocsc()).solve(-fixed)
    return places.unknowns(points, angles)


def _descend(energy: _Energy, places: _Places, unknowns: np.ndarray) -> np.ndarray:
    value = energy.value(places.points(unknowns))
    if not np.isfinite(value):
        raise UserError(
            "The half of the body cannot be laid flat: a triangle is flipped. "
            "Are its triangles mirror images of each other?"
        )
    bold = True
    for _ in range(MOST_STEPS):
        gradient, hessian = energy.derivatives(places.points(unknowns), bold)
        jacobian = places.jacobian(unknowns)
        gradient, hessian = jacobian.T @ gradient, (jacobian.T @ hessian @ jacobian).tocsc()
        hessian += scipy.sparse.diags(1e-9 * hessian.diagonal() + 1e-12)
        step = scipy.sparse.linalg.splu(hessian, "MMD_AT_PLUS_A", 0.0, options={"SymmetricMode": True}).solve(-gradient)
        length, slope = 1.0, gradient @ step
        while (reached := energy.value(places.points(unknowns + length * step))) > value + 1e-4 * length * slope:
            length /= 2
            if length < 1e-9:
                return unknowns
        unknowns = unknowns + length * step
        if value - reached < (BOLD_DROP if bold else FINAL_DROP) * reached:
            if not bold:
                return unknowns
            bold = False
        value = reached
    return unknowns
