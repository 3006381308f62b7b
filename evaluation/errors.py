"""Errors of a batch of test images by name, as eval.py measures them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from atlas.part_weights import PART_WEIGHTS, load_parts
from evaluation.protocols import IUV_ERRORS, JOINTS, MASKS, MESH, Protocol
from fitting.body_fit import BodyFitter
from utils import config
from utils.body_model import JointRegressors, load_joint_regressors
from utils.errors import UserError, warn
from utils.joints import BENCHMARK_JOINTS, LSP_JOINTS, TRAINING_JOINTS, indices
from utils.metrics import correct_joints, iuv_errors, mesh_errors, position_errors, reprojection_error

FITTED = "fitted_"  # begins the names of errors of the fitted body
BASELINE = ("shape_error", "shape_error_l1", "mpjpe", "pa_mpjpe", "pve", "pck", "auc")  # of the mean training mesh too


@dataclass(frozen=True)
class Truth:
    """What a batch is compared with: joints [N, K, 3] and, where there are meshes, vertices [N, V, 3] or None.

    Both are relative to their root, in metres. known: [N] bool, False where the truth is missing.
    """

    joints: np.ndarray
    vertices: np.ndarray | None
    known: np.ndarray


@dataclass(frozen=True)
class ErrorMeter:
    """Compares predictions with the truth as a protocol says.

    mean_mesh: [V, 3] in metres, or None for no baseline. fitter: fits the body model to each mesh, whose errors are
    measured too; or None.
    """

    protocol: Protocol
    regressors: JointRegressors
    mean_mesh: np.ndarray | None = None
    fitter: BodyFitter | None = None

    @classmethod
    def of(cls, protocol: Protocol, mean_mesh: np.ndarray | None = None, fitter: BodyFitter | None = None):
        """The meter with the regressors of the data root; UserError if one is missing."""
        meter = cls(protocol, load_joint_regressors(), mean_mesh, fitter)
        assert len(meter.joint_rows) == len(protocol.joints.names)
        return meter

    @cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        return self.protocol.joints.load(self.regressors)

    @property
    def joint_rows(self) -> np.ndarray:
        """[K, V]: the rows that make the protocol's joints of a mesh."""
        return self._rows[0]

    @property
    def root_row(self) -> np.ndarray:
        """[1, V]: the row that makes the root of a mesh."""
        return self._rows[1]

    @cached_property
    def part_rows(self) -> np.ndarray:
        """[parts, V]: rows that average over the vertices of a body part; no rows if the segmentation is missing."""
        if not config.SEGMENTATION_FILE.is_file():
            return np.zeros((0, self.joint_rows.shape[1]))
        parts = load_parts()
        rows = np.zeros((len(PART_WEIGHTS), self.joint_rows.shape[1]))
        for row, name in zip(rows, PART_WEIGHTS, strict=True):
            ids = np.asarray(parts.get(name, ()), np.int64)
            if not ids.size or ids.max() >= len(row):
                raise UserError(f"{config.SEGMENTATION_FILE}: part {name} is missing or is of another body.")
            row[ids] = 1 / len(ids)
        return rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a batch that the errors need."""
        needed = {
            MESH: ("pose", "betas", "gender", "has_smpl"),
            JOINTS: ("pose_3d", "has_pose_3d"),
            MASKS: (),
        }[self.protocol.truth]
        return ("keypoints", *needed, *(("gt_iuv", "has_dp") if set(IUV_ERRORS) & set(self.protocol.measured) else ()))

    def __call__(self, batch: dict, dp_out, vertices, cameras, true_vertices=None) -> dict[str, np.ndarray]:
        """Errors per image: columns [N], and joint_errors [N, K], part_errors [N, 24], vertex_errors [N, V].

        batch: `columns` of the images. The other arguments are arrays of predictions, and true meshes [N, V, 3] where
        they are the truth. An error is NaN if its truth is missing.
        """
        errors: dict[str, np.ndarray] = {}
        if self.protocol.truth != MASKS:
            truth = self._truth(batch, true_vertices)
            errors |= self._errors(vertices, truth)
            if "vertex_errors" in errors:
                errors["part_errors"] = errors["vertex_errors"] @ self.part_rows.T
            if self.mean_mesh is not None:
                baseline = self._errors(np.broadcast_to(self.mean_mesh, vertices.shape), truth)
                errors |= {f"mean_mesh_{name}": baseline[name] for name in BASELINE if name in baseline}
            if self.fitter is not None:
                fitted = self._errors(fitted_vertices(self.fitter, vertices), truth)
                errors |= {f"{FITTED}{name}": fitted[name] for name in BASELINE if name in fitted}
            for values in errors.values():
                values[~truth.known] = np.nan
        if "mask_iou" in self.protocol.measured:
            errors |= iuv_errors(dp_out, batch["gt_iuv"], batch["has_dp"] > 0)
        visible = batch["keypoints"][:, : len(LSP_JOINTS)]
        errors["reprojection_error"] = reprojection_error(self.regressors.lsp_rows @ vertices, cameras, visible)
        return errors

    def _truth(self, batch: dict, true_vertices: np.ndarray | None) -> Truth:
        if true_vertices is not None:
            return Truth(*self._joints_and_vertices(true_vertices), batch["has_smpl"] > 0)
        joints = batch["pose_3d"].astype(np.float64)
        rule = self.protocol.joints
        places, root = indices(rule.names, TRAINING_JOINTS), indices(rule.root, TRAINING_JOINTS)
        centred = joints[:, places, :3] - joints[:, root, :3].mean(1, keepdims=True)
        # an image counts with all of its joints or not at all, so that every figure is of the same images
        known = (batch["has_pose_3d"] > 0) & (joints[:, [*places, *root], 3] > 0).all(1)
        return Truth(centred, None, known)

    def _joints_and_vertices(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vertices [N, V, 3] -> joints [N, K, 3] and vertices [N, V, 3], relative to the root, float64."""
        vertices = np.asarray(vertices, np.float64)
        root = self.root_row @ vertices
        return self.joint_rows @ vertices - root, vertices - root

    def _errors(self, vertices: np.ndarray, truth: Truth) -> dict[str, np.ndarray]:
        """Every error of the protocol, and the single distances of joints and vertices."""
        joints, centred = self._joints_and_vertices(vertices)
        errors = position_errors(joints, truth.joints)
        if truth.vertices is not None:
            errors |= mesh_errors(centred, truth.vertices)
            errors["pve"] = errors["shape_error"]
        if "pck" in self.protocol.figures:
            errors |= correct_joints(errors["joint_errors"][:, indices(BENCHMARK_JOINTS, self.protocol.joints.names)])
        wanted = {*self.protocol.measured, "joint_errors", "vertex_errors"}
        return {name: values for name, values in errors.items() if name in wanted}


def fitted_vertices(fitter: BodyFitter, vertices: np.ndarray) -> np.ndarray:
    """The bodies fitted to meshes [N, V, 3], as vertices [N, V, 3]; NaN, with a line, where none can be fitted."""
    fit, errors = fitter.each(vertices)
    for error in errors.values():
        warn(f"a predicted mesh that cannot be fitted has no error of the fitted body: it {error}")
    return fitter.vertices(fit)
