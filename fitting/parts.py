"""Sums over the vertices of many bodies, from which the normal equations are made.

All that a fit needs of a vertex is linear in few features: its place at rest times each skinning weight, the weights
themselves, its shape derivatives and its residual. A vertex has few skinning weights that are not zero, so the body is
cut into parts, the vertices of which share them, and each part has a small matrix of moments.
"""

from dataclasses import dataclass

import numpy as np

from utils.body_model import NUM_BETAS, BodyModel
from utils.joints import NUM_JOINTS

JOINT_FEATURES = 4 * NUM_JOINTS  # (w_k x, w_k) of each joint
SHAPE_FEATURES = 3 * NUM_BETAS
NUM_FEATURES = JOINT_FEATURES + SHAPE_FEATURES + 1 + 3  # and 1, and the residual


@dataclass(frozen=True)
class Part:
    """The vertices that a joint moves most: rows `start` to `stop` of the sorted vertices."""

    rows: slice
    joints: np.ndarray  # [m]: those with a weight
    weights: np.ndarray  # [n, m]
    shapedirs: np.ndarray  # [n, 3, 10]
    places: np.ndarray  # [K]: of the part's features among all


class Parts:
    """The vertices of a body model, sorted by part. All arrays [N, V, ...] of the methods are in this order."""

    def __init__(self, model: BodyModel):
        nearest = model.weights.argmax(1)
        self.order = np.argsort(nearest, kind="stable")
        self.template = model.v_template[self.order].ravel()
        # the blend shapes as matrices from (betas, pose features) to the coordinates of all vertices
        blend = np.concatenate([model.shapedirs, model.posedirs], 2)[self.order]
        self.blend_shapes = np.ascontiguousarray(blend.reshape(len(self.template), -1).T)
        self.parts = []
        start = 0
        for joint in np.unique(nearest):
            chosen = self.order[nearest[self.order] == joint]
            rows = slice(start, start := start + len(chosen))
            joints = np.flatnonzero(model.weights[chosen].any(0))
            joint_places = 4 * joints[:, None] + np.arange(4)
            places = np.concatenate([joint_places.ravel(), np.arange(JOINT_FEATURES, NUM_FEATURES)])
            weights = np.ascontiguousarray(model.weights[np.ix_(chosen, joints)])
            self.parts.append(Part(rows, joints, weights, model.shapedirs[chosen], places))

    def shape_vertices(self, betas: np.ndarray, pose_features: np.ndarray) -> np.ndarray:
        """Betas [N, 10] and R - I of the joints [N, 207] -> the vertices at rest and a 1, [N, V, 4]."""
        at_rest = self.template + np.concatenate([betas, pose_features], 1) @ self.blend_shapes
        shaped = np.ones((len(betas), len(self.order), 4))
        shaped[..., :3] = at_rest.reshape(len(betas), len(self.order), 3)
        return shaped

    def skin(self, shaped: np.ndarray, rotations: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Linear blend skinning: shaped [N, V, 4], rotations in space [N, 24, 3, 3], shifts [N, 24, 3] -> [N, V, 3]."""
        count = len(shaped)
        carry = np.concatenate([rotations.swapaxes(-1, -2), shifts[:, :, None]], 2)  # [N, 24, 4, 3]
        vertices = np.empty((count, shaped.shape[1], 3))
        for part in self.parts:
            weighted = part.weights[:, :, None] * shaped[:, part.rows, None]
            size = 4 * len(part.joints)
            mine = carry[:, part.joints].reshape(count, size, 3)
            vertices[:, part.rows] = weighted.reshape(count, len(part.weights), size) @ mine
        return vertices

    def moments(self, shaped: np.ndarray, rotations: np.ndarray, residuals: np.ndarray, weights: np.ndarray):
        """[N, F, F]: the weighted sums over vertices of the products of all features.

        shaped [N, V, 4], rotations in space [N, 24, 3, 3], residuals [N, V, 3], weights [N, V]. The F features are
        (w_k x, w_k) of the 24 joints, the shape derivatives [3, 10] of the skinned vertex, 1 and the residual.
        """
        count = len(shaped)
        roots = np.sqrt(weights)
        total = np.zeros((count, NUM_FEATURES, NUM_FEATURES))
        for part in self.parts:
            root = roots[:, part.rows, None]
            mine = part.weights * root
            blended = (mine @ rotations[:, part.joints].reshape(count, -1, 9)).reshape(count, -1, 3, 3)
            of_joints = mine[..., None] * shaped[:, part.rows, None]
            of_shape = blended @ part.shapedirs
            of_residual = residuals[:, part.rows] * root
            flat = (values.reshape(*mine.shape[:2], -1) for values in (of_joints, of_shape, root, of_residual))
            features = np.concatenate(list(flat), 2)
            total[:, part.places[:, None], part.places] += features.swapaxes(1, 2) @ features
        return total
