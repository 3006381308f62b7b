"""SMPL parameters of the network's meshes: which vertices the photograph shows, and the body that is nearest to them.

The confidence of a vertex has two values. The CNet says for each pixel of the body which point of the surface it shows,
as a place (u, v) of the atlas. A vertex counts as seen if a pixel names a place within SEEN_WITHIN of one of its own
places. A seen vertex has confidence 1, another one UNSEEN_CONFIDENCE: the LNet guesses it from the rest of the body.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from fitting.body_fit import BodyFitter
from utils.body_model import BodyModel, pose_joints
from utils.errors import UserError
from utils.objfile import ObjMesh
from utils.pictures import FOREGROUND

# Share of the atlas' side. With the true IUV images (56 px) of generated people it marks 87 % of the vertices that the
# camera sees and 8 % of the others; 0.015 gives 63 % and 2 %, 0.04 97 % and 22 %.
SEEN_WITHIN = 0.025
UNSEEN_CONFIDENCE = 0.25  # right if the errors of unseen vertices are twice as large, which is assumed, not measured


@dataclass(frozen=True)
class FittedBody:
    """The body model of one person, in the camera space of their mesh; metres and radians."""

    pose: np.ndarray  # [24, 3], axis-angle
    betas: np.ndarray  # [10]
    translation: np.ndarray  # [3]
    vertices: np.ndarray  # [V, 3]
    joints: np.ndarray  # [24, 3], SMPL_JOINTS


class BodyFits:
    """Fits a body model to meshes whose vertices are those of `atlas`; UserError where the model has others."""

    def __init__(self, model: BodyModel, atlas: ObjMesh):
        if len(model.v_template) != len(atlas.vertices):
            raise UserError(f"The body model has {len(model.v_template)} vertices, the atlas {len(atlas.vertices)}.")
        self.model = model
        self._fitter = BodyFitter(model)
        texcoords, face_texcoords = atlas.textured()
        owners = np.stack([atlas.faces, face_texcoords], axis=-1).reshape(-1, 2)
        self._owners, places = np.unique(owners, axis=0).T
        self._places = texcoords[places]

    def __call__(self, vertices: np.ndarray, iuv: np.ndarray) -> list[FittedBody | UserError]:
        """Fit bodies to meshes [N, V, 3], metres, with the IUV images [N, 3, h, w] that the CNet saw.

        A mesh that cannot be fitted gets the UserError of fitting.body_fit.
        """
        confidence = np.stack([self.confidence(image) for image in iuv])
        fit, errors = self._fitter.each(vertices, confidence)
        parts = zip(fit.pose, fit.betas, fit.translation, self._fitter.vertices(fit), strict=True)
        return [errors.get(index) or self._body(*part) for index, part in enumerate(parts)]

    def _body(self, pose: np.ndarray, betas: np.ndarray, translation: np.ndarray, vertices: np.ndarray) -> FittedBody:
        return FittedBody(pose, betas, translation, vertices, pose_joints(self.model, pose, betas) + translation)

    def confidence(self, iuv: np.ndarray) -> np.ndarray:
        """How much each vertex counts, [V], for an IUV image [3, h, w] (mask, u, v)."""
        confidence = np.full(len(self.model.v_template), UNSEEN_CONFIDENCE)
        named = iuv[1:, iuv[0] > FOREGROUND].T
        if len(named):
            distance, _ = cKDTree(named).query(self._places, distance_upper_bound=SEEN_WITHIN)
            confidence[self._owners[np.isfinite(distance)]] = 1
        return confidence
