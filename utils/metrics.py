"""Errors of predicted meshes and joints, in float64 numpy. Lengths in metres, errors in millimetres."""

import numpy as np

MILLIMETRES = 1000.0
RIGHT_HIP, LEFT_HIP = 2, 3  # in the LSP joint set


def pelvis(lsp_joints: np.ndarray) -> np.ndarray:
    """[N, 14, 3] -> [N, 1, 3]: the middle of the hips."""
    return lsp_joints[:, [RIGHT_HIP, LEFT_HIP]].mean(1, keepdims=True)


def centred(points: np.ndarray, lsp_joints: np.ndarray) -> np.ndarray:
    """Points [N, K, 3] relative to the pelvis of `lsp_joints` [N, 14, 3]."""
    return np.asarray(points, np.float64) - pelvis(np.asarray(lsp_joints, np.float64))


def mean_distance(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """[N, K, 3] twice -> [N]: mean Euclidean distance in mm."""
    return MILLIMETRES * np.linalg.norm(predicted - true, axis=-1).mean(-1)


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


def pose_errors(
    vertices: np.ndarray, joints: np.ndarray, true_vertices: np.ndarray, true_joints: np.ndarray
) -> dict[str, np.ndarray]:
    """Errors per image, each [N] in mm.

    vertices [N, V, 3], joints [N, 14, 3]: LSP joints regressed from the vertices. `shape_error` is
    the mean distance of vertices and `mpjpe` that of joints, both relative to the pelvis;
    `pa_mpjpe` is the mean distance of joints after the best similarity transform.
    """
    centred_joints, centred_truth = centred(joints, joints), centred(true_joints, true_joints)
    return {
        "shape_error": mean_distance(centred(vertices, joints), centred(true_vertices, true_joints)),
        "mpjpe": mean_distance(centred_joints, centred_truth),
        "pa_mpjpe": mean_distance(procrustes_align(centred_joints, centred_truth), centred_truth),
    }
