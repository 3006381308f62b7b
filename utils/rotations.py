"""Rotations as axis-angle vectors (axis times angle in radians) and as matrices, in numpy.

SMPL's poses are axis-angle vectors. The network turns them into matrices with models.geometric_layers.rodrigues.
"""

import cv2
import numpy as np


def rotation_matrices(axis_angles: np.ndarray) -> np.ndarray:
    """Rodrigues' formula: axis-angle vectors [..., 3] -> rotation matrices [..., 3, 3]."""
    angle = np.linalg.norm(axis_angles, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis_angles, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    # sin(a)/a and (1-cos(a))/a^2 without a division by zero: sinc(t) = sin(pi t)/(pi t)
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * cross @ cross


def axis_angle(rotation: np.ndarray) -> np.ndarray:
    """A rotation matrix [3, 3] -> its axis-angle vector [3], of at most half a turn."""
    return cv2.Rodrigues(np.asarray(rotation, np.float64))[0].ravel()
