"""Rotations as vectors and as matrices, against scipy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from utils.rotations import axis_angle, rotation_matrices

AXIS = np.array([2.0, -1.0, 2.0]) / 3


@pytest.mark.parametrize("angle", [0.0, 1e-200, 1e-9, 1e-4, 1.0, np.pi, 2 * np.pi, 20.0])
def test_matrices_are_exact_at_every_angle(angle):
    vector = angle * AXIS
    np.testing.assert_allclose(rotation_matrices(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-14)


def test_many_vectors_are_turned_into_matrices_at_once():
    vectors = np.random.default_rng(0).normal(size=(4, 24, 3))
    expected = [[rotation_matrices(vector) for vector in pose] for pose in vectors]
    np.testing.assert_allclose(rotation_matrices(vectors), expected, atol=1e-15)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 1.0, 3.1, np.pi])
def test_a_vector_of_at_most_half_a_turn_is_found_again(angle):
    found = axis_angle(rotation_matrices(angle * AXIS))
    sign = np.sign(found @ AXIS) if angle == np.pi else 1  # half a turn about an axis or about its opposite is the same
    np.testing.assert_allclose(sign * found, angle * AXIS, atol=1e-9)


def test_a_vector_of_more_than_half_a_turn_becomes_the_shorter_one():
    np.testing.assert_allclose(axis_angle(rotation_matrices(4.0 * AXIS)), (4.0 - 2 * np.pi) * AXIS, atol=1e-9)
