"""Errors of predicted meshes, joints and IUV images, in float64 numpy. Lengths in metres, errors in millimetres."""

import cv2
import numpy as np

from utils.camera import project_weak
from utils.joints import HIPS, LSP_JOINTS, indices

MILLIMETRES = 1000.0
PCK_THRESHOLD = 150.0  # mm
AUC_THRESHOLDS = np.arange(0.0, PCK_THRESHOLD + 1, 5.0)  # mm
REPROJECTION_SIZE = 224  # px; errors are given for the paper's crop, whatever size the network works at
FOREGROUND = 0.5
IUV_ERRORS = ("mask_iou", "mask_iou_coarse", "uv_error")


def pelvis(lsp_joints: np.ndarray) -> np.ndarray:
    """[N, 14, 3] -> [N, 1, 3]: the middle of the hips."""
    return lsp_joints[:, indices(HIPS, LSP_JOINTS)].mean(1, keepdims=True)


def centred(points: np.ndarray, lsp_joints: np.ndarray) -> np.ndarray:
    """Points [N, K, 3] relative to the pelvis of `lsp_joints` [N, 14, 3]."""
    return np.asarray(points, np.float64) - pelvis(np.asarray(lsp_joints, np.float64))


def distances(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """[N, K, 3] twice -> [N, K]: Euclidean distances in mm."""
    return MILLIMETRES * np.linalg.norm(predicted - true, axis=-1)


def mean_distance(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """[N, K, 3] twice -> [N]: mean Euclidean distance in mm."""
    return distances(predicted, true).mean(-1)


def procrustes_align(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Best similarity transform of points onto targets, per item; all [N, K, 3].

    Source: Umeyama, "Least-squares estimation of transformation parameters", 1991.
    """
    point_mean, target_mean = points.mean(1, keepdims=True), targets.mean(1, keepdims=True)
    centred_points, centred_targets = points - point_mean, targets - target_mean
    u, singular, vt = np.linalg.svd(centred_targets.swapaxes(1, 2) @ centred_points)
    sign = np.ones_like(singular)
    sign[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (singular * sign).sum(1) / (centred_points**2).sum((1, 2))
    return scale[:, None, None] * centred_points @ rotation.swapaxes(1, 2) + target_mean


def mesh_errors(vertices: np.ndarray, true_vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Errors per image in mm of vertices [N, V, 3], which are relative to the root, as the truth is.

    `shape_error` [N] is the mean distance, and `vertex_errors` [N, V] are the single distances. `shape_error_l1` [N] is
    the mean of |dx| + |dy| + |dz|, which the MindSpore port of 2022 reported.
    """
    vertex_errors = distances(vertices, true_vertices)
    return {
        "shape_error": vertex_errors.mean(-1),
        "shape_error_l1": MILLIMETRES * np.abs(vertices - true_vertices).sum(-1).mean(-1),
        "vertex_errors": vertex_errors,
    }


def position_errors(joints: np.ndarray, true_joints: np.ndarray) -> dict[str, np.ndarray]:
    """Errors per image in mm of joints [N, K, 3], which are relative to the root, as the truth is.

    `mpjpe` [N] is the mean distance, `pa_mpjpe` [N] that after the best similarity transform, and `joint_errors` [N, K]
    are the single distances.
    """
    joint_errors = distances(joints, true_joints)
    return {
        "mpjpe": joint_errors.mean(-1),
        "pa_mpjpe": mean_distance(procrustes_align(joints, true_joints), true_joints),
        "joint_errors": joint_errors,
    }


def correct_joints(joint_errors: np.ndarray) -> dict[str, np.ndarray]:
    """`pck` and `auc` [N] in percent from the errors of joints [N, K] in mm, as MPI-INF-3DHP defines them.

    PCK is the share of joints whose error is below 150 mm. AUC is the mean share over the thresholds 0, 5, ..., 150 mm.
    No error is below 0 mm, so the AUC of a perfect prediction is 30 / 31, 96.8 percent. Source: Mehta et al.,
    "Monocular 3D Human Pose Estimation In The Wild Using Improved CNN Supervision", 2017, and the data set's
    mpii_compute_3d_pck.m.
    """
    below = (joint_errors[..., None] < AUC_THRESHOLDS).mean(1)  # [N, thresholds]
    return {"pck": 100 * (joint_errors < PCK_THRESHOLD).mean(-1), "auc": 100 * below.mean(-1)}


def pose_errors(
    vertices: np.ndarray, joints: np.ndarray, true_vertices: np.ndarray, true_joints: np.ndarray
) -> dict[str, np.ndarray]:
    """The errors of `mesh_errors` and `position_errors`, relative to the pelvis.

    vertices [N, V, 3], joints [N, 14, 3]: LSP joints regressed from the vertices; metres.
    """
    meshes = centred(vertices, joints), centred(true_vertices, true_joints)
    return mesh_errors(*meshes) | position_errors(centred(joints, joints), centred(true_joints, true_joints))


def iuv_errors(dp_out: np.ndarray, true_iuv: np.ndarray, annotated: np.ndarray) -> dict[str, np.ndarray]:
    """`mask_iou`, `mask_iou_coarse` and `uv_error` per image, each [N]; NaN if there is nothing to compare.

    dp_out [N, 3, h, w] and true_iuv [N, 3, S, S]: mask, u, v in [0, 1]; annotated [N]. `mask_iou` compares
    the masks in the pixels of the truth. `mask_iou_coarse` compares them in the pixels of dp_out: those
    that the warp treats as body, and those that the true body covers by more than half. `uv_error` is the
    mean Euclidean distance of (u, v), in sides of the atlas, over the pixels of the truth that are body in both.
    """
    values = [
        _iuv_error(predicted, true) if known else (np.nan,) * len(IUV_ERRORS)
        for predicted, true, known in zip(dp_out, true_iuv, annotated, strict=True)
    ]
    return dict(zip(IUV_ERRORS, np.array(values, np.float64).T, strict=True))


def _iuv_error(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    size = true.shape[:0:-1]
    found = cv2.resize(predicted[0], size, interpolation=cv2.INTER_LINEAR) > FOREGROUND
    body = true[0] > FOREGROUND
    covered = cv2.resize(body.astype(np.float32), predicted.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0.5
    overlaps = overlap(found, body), overlap(predicted[0] > FOREGROUND, covered)
    both = found & body
    if not both.any():
        return *overlaps, np.nan
    u, v = (cv2.resize(channel, size, interpolation=cv2.INTER_NEAREST)[both] for channel in predicted[1:])
    return *overlaps, np.hypot(u - true[1][both], v - true[2][both], dtype=np.float64).mean()


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of two masks; NaN where both are empty."""
    either = found | true
    return (found & true).sum() / either.sum() if either.any() else np.nan


def reprojection_error(joints: np.ndarray, cameras: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """[N] px of a crop of 224: mean distance of projected joints [N, K, 3] from keypoints [N, K, 3] (x, y, visible).

    cameras [N, 3] = (s, tx, ty); keypoints in crop units. NaN where none is visible.
    """
    projected = np.stack([project_weak(np.asarray(points, np.float64), camera) for points, camera in zip(
        joints, np.asarray(cameras, np.float64), strict=True)])  # fmt: skip
    away = np.linalg.norm(projected - keypoints[..., :2], axis=-1) * REPROJECTION_SIZE / 2
    visible = keypoints[..., 2] > 0
    counts = visible.sum(-1)
    return np.where(counts > 0, (away * visible).sum(-1) / np.maximum(counts, 1), np.nan)
