"""Errors of a batch of test images by name, as eval.py measures them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from atlas.part_weights import PART_WEIGHTS, load_parts
from utils import config
from utils.errors import UserError
from utils.joints import LSP_JOINTS
from utils.metrics import iuv_errors, pose_errors, reprojection_error

JOINT_NAMES = tuple(name.replace("_", " ") for name in LSP_JOINTS)  # spelling in reports
BASELINE = ("shape_error", "shape_error_l1", "mpjpe", "pa_mpjpe")  # errors that the mean training mesh has too


@dataclass(frozen=True)
class ErrorMeter:
    """Compares predictions with the truth. lsp_rows [14, V]; mean_mesh [V, 3], relative to its pelvis."""

    lsp_rows: np.ndarray
    mean_mesh: np.ndarray

    @cached_property
    def part_rows(self) -> np.ndarray:
        """[parts, V]: rows that average over the vertices of a body part; no rows if the segmentation is missing."""
        if not config.SEGMENTATION_FILE.is_file():
            return np.zeros((0, self.lsp_rows.shape[1]))
        parts = load_parts()
        rows = np.zeros((len(PART_WEIGHTS), self.lsp_rows.shape[1]))
        for row, name in zip(rows, PART_WEIGHTS, strict=True):
            ids = np.asarray(parts.get(name, ()), np.int64)
            if not ids.size or ids.max() >= len(row):
                raise UserError(f"{config.SEGMENTATION_FILE}: part {name} is missing or is of another body.")
            row[ids] = 1 / len(ids)
        return rows

    def __call__(self, batch: dict, dp_out, vertices, cameras, true_vertices) -> dict[str, np.ndarray]:
        """Errors per image: columns [N], and joint_errors [N, 14], part_errors [N, 24], vertex_errors [N, V].

        batch: keypoints, gt_iuv, has_dp and has_smpl of the images. The other arguments are arrays of predictions and
        truth. An error is NaN if its truth is missing.
        """
        joints, true_joints = self.lsp_rows @ vertices, self.lsp_rows @ true_vertices
        errors = pose_errors(vertices, joints, true_vertices, true_joints)
        errors["part_errors"] = errors["vertex_errors"] @ self.part_rows.T
        errors["vertex_errors"] = errors["vertex_errors"].astype(np.float32)
        constant = np.broadcast_to(self.mean_mesh, true_vertices.shape)
        baseline = pose_errors(constant, self.lsp_rows @ constant, true_vertices, true_joints)
        errors |= {f"mean_mesh_{name}": baseline[name] for name in BASELINE}
        for values in errors.values():
            values[batch["has_smpl"] <= 0] = np.nan
        errors |= iuv_errors(dp_out, batch["gt_iuv"], batch["has_dp"] > 0)
        errors["reprojection_error"] = reprojection_error(joints, cameras, batch["keypoints"][:, : len(LSP_JOINTS)])
        return errors
