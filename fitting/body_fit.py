"""SMPL parameters from meshes: pose, betas and translation of the body that is nearest to given vertices.

The fit starts from an alignment of the body's parts in closed form. Then it takes a few damped Gauss-Newton steps
(Levenberg, 1944; Marquardt, 1963) on all parameters at once. The cost grows linearly, not by the square, where a vertex
is far from the fit (Huber, 1964). The noise of each mesh is estimated from its residuals, and the priors of
`fitting.priors` weigh against it: they move the fit of a true mesh by micrometres, and keep betas and joints plausible
where the mesh is noisy.
"""

from dataclasses import dataclass, fields

import numpy as np

from fitting.alignment import align_parts
from fitting.kinematics import Posed, Tree, pose_joints, relative_rotations
from fitting.normal_equations import BETAS, NUM_UNKNOWNS, TRANSLATION, TURNS, normal_equations
from fitting.parts import Parts
from fitting.priors import TURN_SPREAD, pose_of, prior_cost, prior_equations
from utils.body_model import NUM_BETAS, BodyModel
from utils.errors import UserError
from utils.joints import NUM_JOINTS
from utils.rotations import rotation_matrices

CHUNK = 16  # bodies at once: larger ones are not faster
MAX_STEPS = 12
FIRST_DAMPING, DAMPING_FACTOR, LARGEST_DAMPING = 1e-4, 10.0, 1e4
LEAST_STIFFNESS = (
    1e-3  # added to the diagonal of a step's equations: a mesh with few seen vertices leaves the root free
)
SETTLED = 3e-3  # share of the cost; a step that lowers it by less is the last
LARGEST_BODY, LARGEST_DISTANCE = 100.0, 1e6  # metres
# Errors of neighbouring vertices go together: all vertices say as much as this number of independent ones.
INDEPENDENT_POINTS = 50.0
# Metres. The largest one keeps the priors from ruling the first steps, in which residuals are no noise yet.
LEAST_NOISE, LARGEST_NOISE, START_NOISE = 0.0003, 0.01, 0.01
MEDIAN_LENGTH = 1.538  # of a normally distributed vector in space, in standard deviations of a component
OUTLIER = 3.0  # standard deviations


class UnusableMesh(UserError):
    """A mesh to which no body can be fitted; the message begins with its number among those given."""


@dataclass(frozen=True)
class Fit:
    """The parameters of N bodies; vertices are `pose_vertices(model, pose, betas) + translation`."""

    pose: np.ndarray  # [N, 24, 3], axis-angle, radians
    betas: np.ndarray  # [N, 10]
    translation: np.ndarray  # [N, 3], metres


@dataclass
class _State:
    """N bodies on the way to their fit, and the normal equations of their next steps."""

    targets: np.ndarray  # [N, V, 3]
    weights: np.ndarray  # [N, V]
    rotations: np.ndarray  # [N, 24, 3, 3], in space
    betas: np.ndarray  # [N, 10]
    translation: np.ndarray  # [N, 3]
    pose: np.ndarray  # [N, 24, 3]
    distances: np.ndarray  # [N, V], metres
    noise: np.ndarray  # [N], metres
    matrix: np.ndarray  # [N, 85, 85]
    right: np.ndarray  # [N, 85]

    def cost(self, noise: np.ndarray) -> np.ndarray:
        """[N]: what the fit minimises, for a given noise [N]."""
        lengths = self.distances / noise[:, None]
        data = np.where(lengths < OUTLIER, lengths**2 / 2, OUTLIER * (lengths - OUTLIER / 2))
        return np.einsum("nv,nv->n", self.weights, data) + prior_cost(self.pose, self.betas)

    def __getitem__(self, chosen) -> "_State":
        return _State(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def put(self, chosen: np.ndarray, other: "_State") -> None:
        """Replace the `chosen` bodies [N] by those of another state."""
        for field in fields(self):
            getattr(self, field.name)[chosen] = getattr(other, field.name)[chosen]


class BodyFitter:
    """Fits one body model; what depends on the model alone is computed once."""

    def __init__(self, model: BodyModel):
        self.model = model
        self._tree = Tree.of(model)
        self._parts = Parts(model)

    def __call__(self, vertices: np.ndarray, confidence: np.ndarray | None = None) -> Fit:
        """Fit the body to meshes.

        vertices [N, V, 3], metres, in any frame: that of the fit. confidence [N, V], from 0 up, says how much each
        vertex counts beside the others of its mesh; None: all the same. A part without confidence continues its
        neighbour. A mesh that no body can have (mirrored, collapsed) gets some finite fit. UserError where a number
        is not finite, a mesh is larger than LARGEST_BODY or beyond LARGEST_DISTANCE, or no vertex has confidence.
        """
        targets, weights = self._check(vertices, confidence)
        chunks = [
            self._fit_chunk(targets[start : start + CHUNK], weights[start : start + CHUNK])
            for start in range(0, len(targets), CHUNK)
        ]
        empty = Fit(np.zeros((0, NUM_JOINTS, 3)), np.zeros((0, NUM_BETAS)), np.zeros((0, 3)))
        return Fit(*(np.concatenate([getattr(fit, field.name) for fit in [empty, *chunks]]) for field in fields(Fit)))

    def each(self, vertices: np.ndarray, confidence: np.ndarray | None = None) -> tuple[Fit, dict[int, UserError]]:
        """Fit meshes of which some may be unusable: those have NaN in the fit, and an error by their number."""
        try:
            return self(vertices, confidence), {}
        except UnusableMesh as error:
            if len(vertices) == 1:
                blank = Fit(*(np.full((1, *shape), np.nan) for shape in ((NUM_JOINTS, 3), (NUM_BETAS,), (3,))))
                return blank, {0: UserError(str(error).removeprefix("mesh 0 "))}
        rows = [slice(index, index + 1) for index in range(len(vertices))]
        singles = [self.each(vertices[row], None if confidence is None else confidence[row]) for row in rows]
        fit = Fit(*(np.concatenate([getattr(one, field.name) for one, _ in singles]) for field in fields(Fit)))
        return fit, {index: errors[0] for index, (_, errors) in enumerate(singles) if errors}

    def vertices(self, fit: Fit) -> np.ndarray:
        """The vertices [N, V, 3] of fits."""
        turns = rotation_matrices(fit.pose)
        rotations = np.empty_like(turns)
        for joint, parent in enumerate(self._tree.parents):
            rotations[:, joint] = turns[:, joint] if parent < 0 else rotations[:, parent] @ turns[:, joint]
        skinned = np.empty((len(turns), len(self._parts.order), 3))
        skinned[:, self._parts.order] = self._pose(rotations, fit.betas)[2]
        return skinned + fit.translation[:, None]

    def _check(self, vertices, confidence) -> tuple[np.ndarray, np.ndarray]:
        count = len(self._parts.order)
        targets = np.asarray(vertices, np.float64)
        if targets.ndim != 3 or targets.shape[1:] != (count, 3):
            raise UserError(f"vertices have shape {targets.shape}, expected (N, {count}, 3) for this body model.")
        weights = np.ones(targets.shape[:2]) if confidence is None else np.asarray(confidence, np.float64)
        if weights.shape != targets.shape[:2]:
            raise UserError(f"confidence has shape {weights.shape}, expected {targets.shape[:2]}, one for each vertex.")
        usable = np.isfinite(targets).all((1, 2))
        _refuse(~usable, "has vertices that are not finite; leave it out")
        _refuse(~(np.isfinite(weights) & (weights >= 0)).all(1), "has confidence below 0 or not finite")
        _refuse(~(weights > 0).any(1), "has no vertex with confidence; leave it out")
        far = np.abs(targets).max((1, 2), initial=0) > LARGEST_DISTANCE
        large = np.ptp(np.where(far[:, None, None], 0, targets), 1).max(1, initial=0) > LARGEST_BODY
        _refuse(far | large, f"is larger than {LARGEST_BODY:g} m or beyond {LARGEST_DISTANCE:g} m; give metres")
        return targets, weights / weights.max(1, keepdims=True)

    def _fit_chunk(self, targets: np.ndarray, confidence: np.ndarray) -> Fit:
        """Fit a few meshes; targets [N, V, 3] and confidence [N, V], at most 1, in the model's order."""
        order = self._parts.order
        weights = confidence[:, order] * (INDEPENDENT_POINTS / len(order))
        centres = np.einsum("nv,nvc->nc", weights, targets[:, order]) / weights.sum(1, keepdims=True)
        state = self._start(targets[:, order] - centres[:, None], weights)
        fit = Fit(state.pose.copy(), state.betas.copy(), state.translation.copy())
        rows, damping = np.arange(len(targets)), np.full(len(targets), FIRST_DAMPING)
        for _ in range(MAX_STEPS):
            trial = self._step(state, damping)
            before, after = state.cost(state.noise), trial.cost(state.noise)
            better = after < before
            state.put(better, trial)
            fit.pose[rows], fit.betas[rows], fit.translation[rows] = state.pose, state.betas, state.translation
            damping = np.where(better, damping / DAMPING_FACTOR, damping * DAMPING_FACTOR)
            going = (np.abs(before - after) > SETTLED * before) & (damping < LARGEST_DAMPING)
            state, damping, rows = state[going], damping[going], rows[going]
            if not len(rows):
                break
        fit.translation[:] += centres
        return fit

    def _start(self, targets: np.ndarray, weights: np.ndarray) -> _State:
        count = len(targets)
        betas, upright = np.zeros((count, NUM_BETAS)), np.broadcast_to(np.eye(3), (count, NUM_JOINTS, 3, 3))
        shaped = self._parts.shape_vertices(betas, np.zeros((count, 9 * (NUM_JOINTS - 1))))
        moments = self._parts.moments(shaped, upright, targets, weights)
        rotations = align_parts(self._tree, moments, START_NOISE**2 / (2 * TURN_SPREAD**2))
        skinned = self._pose(rotations, betas)[2]
        translation = np.einsum("nv,nvc->nc", weights, targets - skinned) / weights.sum(1, keepdims=True)
        return self._evaluate(targets, weights, rotations, betas, translation)

    def _step(self, state: _State, damping: np.ndarray) -> _State:
        """One damped step of every body."""
        damped = state.matrix.copy()
        diagonal = np.arange(NUM_UNKNOWNS)
        damped[:, diagonal, diagonal] += damping[:, None] * damped[:, diagonal, diagonal] + LEAST_STIFFNESS
        change = np.linalg.solve(damped, state.right[..., None])[..., 0]
        turns = rotation_matrices(change[:, TURNS].reshape(-1, NUM_JOINTS, 3))
        return self._evaluate(state.targets, state.weights, turns @ state.rotations, state.betas + change[:, BETAS],
                              state.translation + change[:, TRANSLATION])  # fmt: skip

    def _pose(self, rotations: np.ndarray, betas: np.ndarray) -> tuple[Posed, np.ndarray, np.ndarray]:
        """Rotations in space and betas -> joints, vertices at rest with a 1 [N, V, 4], posed vertices [N, V, 3]."""
        posed = pose_joints(self._tree, rotations, betas)
        bends = relative_rotations(self._tree, rotations)[:, 1:] - np.eye(3)
        shaped = self._parts.shape_vertices(betas, bends.reshape(-1, 9 * (NUM_JOINTS - 1)))
        return posed, shaped, self._parts.skin(shaped, rotations, posed.shifts)

    def _evaluate(self, targets, weights, rotations, betas, translation) -> _State:
        posed, shaped, skinned = self._pose(rotations, betas)
        residuals = targets - skinned - translation[:, None]
        distances = np.linalg.norm(residuals, axis=-1)
        noise = np.clip(weighted_median(distances, weights) / MEDIAN_LENGTH, LEAST_NOISE, LARGEST_NOISE)
        trust = OUTLIER / np.maximum(distances / noise[:, None], OUTLIER) / noise[:, None] ** 2
        moments = self._parts.moments(shaped, rotations, residuals, weights * trust)
        matrix, right = normal_equations(self._tree, posed, moments)
        pose = pose_of(self._tree, rotations)
        prior_matrix, prior_right = prior_equations(self._tree, rotations, pose, betas)
        return _State(targets, weights, rotations, betas, translation, pose, distances, noise, matrix + prior_matrix,
                      right + prior_right)  # fmt: skip


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values and weights [N, V] -> [N]: the value below which half of the weight lies."""
    order = values.argsort(1)
    share = np.take_along_axis(weights, order, 1).cumsum(1)
    place = (share < share[:, -1:] / 2).sum(1)
    return np.take_along_axis(values, np.take_along_axis(order, place[:, None], 1), 1)[:, 0]


def _refuse(bad: np.ndarray, line: str) -> None:
    if bad.any():
        raise UnusableMesh(f"mesh {bad.argmax()} {line}.")
