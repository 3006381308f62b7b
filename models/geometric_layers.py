"""Rotations and camera projection on tensors."""

import numpy as np
from mindspore import Tensor, ops

IDENTITY = np.eye(3, dtype=np.float32)
# [3, 9]: v -> its cross-product matrix, by rows (0, -z, y), (z, 0, -x), (-y, x, 0)
CROSS = np.array([[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], np.float32)
SMALL_ANGLE = 1e-8  # squared radians below which the Taylor series is used


def rodrigues(axis_angles: Tensor) -> Tensor:
    """Axis-angle vectors [N, 3], radians -> rotation matrices [N, 3, 3].

    Finite, with finite gradients, at zero: below 1e-4 rad the series of sin(a)/a and
    (1 - cos(a))/a^2 replace the quotients, and the square root never sees zero.
    """
    squared = (axis_angles * axis_angles).sum(-1)
    small = squared < SMALL_ANGLE
    safe = ops.select(small, ops.ones_like(squared), squared)
    angle = ops.sqrt(safe)
    sine = ops.select(small, 1 - squared / 6, ops.sin(angle) / angle)
    cosine = ops.select(small, 0.5 - squared / 24, (1 - ops.cos(angle)) / safe)
    diagonal, sine, cosine = (factor[:, None, None] for factor in (1 - cosine * squared, sine, cosine))
    outer = axis_angles[:, :, None] * axis_angles[:, None, :]
    crosses = ops.matmul(axis_angles, Tensor(CROSS)).reshape(-1, 3, 3)
    # R = I + sin(a)/a K + (1 - cos(a))/a^2 (v v^T - a^2 I), with K the cross-product matrix of v
    return diagonal * Tensor(IDENTITY) + sine * crosses + cosine * outer


def orthographic_projection(points: Tensor, camera: Tensor) -> Tensor:
    """Project 3-D points with a weak-perspective camera.

    Args:
        points: [B, N, 3], metres, camera axes (x right, y down).
        camera: [B, 3] = (s, tx, ty).
    Returns:
        [B, N, 2] = s * (x + tx, y + ty), crop units, x and y in [-1, 1].
    """
    scale, shift = camera[:, None, :1], camera[:, None, 1:]
    return scale * (points[..., :2] + shift)
