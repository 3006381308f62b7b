"""Errors in millimetres: Euclidean distances, relative to the pelvis, with and without alignment."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from utils.metrics import centred, mean_distance, pelvis, pose_errors, procrustes_align


@pytest.fixture
def bodies():
    """Vertices [2, 50, 3] and joints [2, 14, 3], metres."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 50, 3)), rng.normal(size=(2, 14, 3))


def test_a_perfect_prediction_has_no_error(bodies):
    for name, values in pose_errors(*bodies, *bodies).items():
        assert values == pytest.approx([0, 0], abs=1e-9), name


def test_the_distance_is_euclidean_and_not_the_sum_of_coordinates():
    origin = np.zeros((1, 1, 3))
    assert mean_distance(origin + (0.003, 0.004, 0), origin) == pytest.approx([5.0])


def test_vertices_are_averaged_within_an_image_and_images_stay_apart():
    predicted = np.zeros((2, 2, 3))
    predicted[0, 1, 2] = 0.010
    predicted[1, :, 0] = 0.004
    assert mean_distance(predicted, np.zeros((2, 2, 3))) == pytest.approx([5.0, 4.0])


def test_where_a_body_stands_does_not_matter(bodies):
    vertices, joints = bodies
    moved = pose_errors(vertices + (1, 2, 3), joints + (1, 2, 3), vertices, joints)
    assert all(values == pytest.approx([0, 0], abs=1e-9) for values in moved.values())


def test_the_pelvis_is_the_middle_of_the_hips():
    joints = np.zeros((1, 14, 3))
    joints[0, 2], joints[0, 3] = (1, 0, 0), (3, 2, 0)
    assert pelvis(joints).tolist() == [[[2, 1, 0]]]
    assert centred(joints, joints)[0, 2].tolist() == [-1, -1, 0]


def test_a_shifted_pelvis_shifts_every_vertex(bodies):
    vertices, joints = bodies
    wrong = joints.copy()
    wrong[:, [2, 3]] += (0.03, 0.04, 0)
    errors = pose_errors(vertices, wrong, vertices, joints)
    assert errors["shape_error"] == pytest.approx([50, 50])
    # 12 joints are 50 mm off, the two hips are right relative to the pelvis
    assert errors["mpjpe"] == pytest.approx([50 * 12 / 14] * 2)


def test_alignment_undoes_any_similarity_transform(bodies):
    _, joints = bodies
    rotations = Rotation.from_rotvec([[0.3, -2, 1], [3, 0.1, 0]]).as_matrix()
    changed = 1.7 * joints @ rotations.swapaxes(1, 2) + (5, -3, 2)
    assert procrustes_align(changed, joints) == pytest.approx(joints, abs=1e-9)
    errors = pose_errors(changed, changed, joints, joints)
    assert errors["pa_mpjpe"] == pytest.approx([0, 0], abs=1e-6)
    assert (errors["mpjpe"] > 100).all()


def test_a_mirror_image_is_not_aligned_away(bodies):
    _, joints = bodies
    aligned = procrustes_align(joints * (-1, 1, 1), joints)
    assert (mean_distance(aligned, joints) > 100).all()


def test_no_nearby_transform_is_better_than_the_alignment(bodies):
    _, joints = bodies
    rng = np.random.default_rng(1)
    noisy = joints + 0.2 * rng.normal(size=joints.shape)

    def squared(points):
        return ((points - joints) ** 2).sum((1, 2))

    aligned = procrustes_align(noisy, joints)
    for _ in range(50):
        turn = Rotation.from_rotvec(0.02 * rng.normal(size=3)).as_matrix()
        nearby = (1 + 0.02 * rng.normal()) * aligned @ turn.T + 0.02 * rng.normal(size=3)
        assert (squared(nearby) >= squared(aligned)).all()


def test_single_precision_meshes_lose_nothing(bodies):
    vertices, joints = bodies
    exact = pose_errors(vertices, joints, vertices[::-1], joints[::-1])
    single = pose_errors(*(array.astype(np.float32) for array in (vertices, joints, vertices[::-1], joints[::-1])))
    for name, values in exact.items():
        assert single[name] == pytest.approx(values, rel=1e-5)
