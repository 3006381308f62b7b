"""The analytic Jacobian and the priors' gradient, against finite differences of the definitions in float64."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fitting.alignment import align_parts, nearest_rotations
from fitting.body_fit import weighted_median
from fitting.kinematics import Tree, pose_joints, relative_rotations
from fitting.normal_equations import BETAS, NUM_UNKNOWNS, TRANSLATION, TURNS, normal_equations
from fitting.parts import Parts
from fitting.priors import beyond_range, pose_of, prior_cost, prior_equations
from tests.helpers.random_people import random_people, turns_between
from tests.helpers.soft_body import soft_body
from utils.body_model import BodyModel
from utils.joints import SMPL_JOINTS, indices

STEP = 1e-5


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return soft_body()


def in_space(model, pose: np.ndarray) -> np.ndarray:
    """Pose [24, 3] -> the joints' rotations in space [24, 3, 3]."""
    turns = Rotation.from_rotvec(pose).as_matrix()
    for joint, parent in enumerate(model.parents):
        if parent >= 0:
            turns[joint] = turns[parent] @ turns[joint]
    return turns


def skinned(model, rotations, betas, bends) -> np.ndarray:
    """Linear blend skinning from the definition: rotations in space, and the pose blend shapes' offsets [V, 3]."""
    shaped = model.v_template + model.shapedirs @ betas
    joints = model.joint_regressor @ shaped
    places, vertices = joints.copy(), np.zeros_like(shaped)
    for joint, parent in enumerate(model.parents):
        if parent >= 0:
            places[joint] = places[parent] + rotations[parent] @ (joints[joint] - joints[parent])
        moved = (shaped + bends - joints[joint]) @ rotations[joint].T + places[joint]
        vertices += model.weights[:, [joint]] * moved
    return vertices


def moved(rotations, betas, translation, change):
    turns = Rotation.from_rotvec(change[TURNS].reshape(24, 3)).as_matrix()
    return turns @ rotations, betas + change[BETAS], translation + change[TRANSLATION]


def differences(function) -> np.ndarray:
    """[..., 85]: central differences of a function of the 85 unknowns at 0."""
    return np.stack(
        [(function(step) - function(-step)) / (2 * STEP) for step in STEP * np.eye(NUM_UNKNOWNS)], axis=-1
    )  # fmt: skip


def test_normal_equations_are_those_of_finite_differences(model):
    truth, rng = random_people(model, 2, spread=0.7), np.random.default_rng(2)
    tree, parts = Tree.of(model), Parts(model)
    rotations = np.stack([in_space(model, pose) for pose in truth.pose])
    features = (relative_rotations(tree, rotations)[:, 1:] - np.eye(3)).reshape(2, -1)
    residuals = 0.1 * rng.normal(size=truth.vertices.shape)
    weights = rng.random(truth.vertices.shape[:2])
    order = parts.order
    shaped = parts.shape_vertices(truth.betas, features)
    moments = parts.moments(shaped, rotations, residuals[:, order], weights[:, order])
    matrix, right = normal_equations(tree, pose_joints(tree, rotations, truth.betas), moments)
    for index in range(2):
        bends = model.posedirs @ features[index]

        def vertices(change, index=index, bends=bends):
            turned, betas, shift = moved(rotations[index], truth.betas[index], truth.translation[index], change)
            return skinned(model, turned, betas, bends) + shift

        np.testing.assert_allclose(vertices(np.zeros(NUM_UNKNOWNS)), truth.vertices[index], atol=1e-12)
        jacobian = differences(vertices)
        expected = np.einsum("v,vci,vcj->ij", weights[index], jacobian, jacobian, optimize=True)
        np.testing.assert_allclose(matrix[index], expected, atol=1e-6 * np.abs(expected).max())
        expected = np.einsum("v,vci,vc->i", weights[index], jacobian, residuals[index], optimize=True)
        np.testing.assert_allclose(right[index], expected, atol=1e-6 * np.abs(expected).max())


def test_the_priors_pull_against_their_gradient(model):
    truth, tree = random_people(model, 3, seed=4, spread=1.0), Tree.of(model)
    rotations = np.stack([in_space(model, pose) for pose in truth.pose])
    pose = pose_of(tree, rotations)
    assert np.abs(beyond_range(pose)).max() > 0.5
    matrix, right = prior_equations(tree, rotations, pose, truth.betas)
    for index in range(3):

        def cost(change, index=index):
            turned, betas, _ = moved(rotations[index], truth.betas[index], np.zeros(3), change)
            return prior_cost(pose_of(tree, turned[None]), betas[None])[0]

        np.testing.assert_allclose(right[index], -differences(cost), atol=1e-6)
        assert np.linalg.eigvalsh(matrix[index]).min() > -1e-9


def test_parts_pose_as_the_definition_says(model):
    truth, parts, tree = random_people(model, 2, spread=0.7), Parts(model), Tree.of(model)
    rotations = np.stack([in_space(model, pose) for pose in truth.pose])
    features = (Rotation.from_rotvec(truth.pose[:, 1:].reshape(-1, 3)).as_matrix() - np.eye(3)).reshape(2, -1)
    posed = pose_joints(tree, rotations, truth.betas)
    found = parts.skin(parts.shape_vertices(truth.betas, features), rotations, posed.shifts)
    np.testing.assert_allclose(found + truth.translation[:, None], truth.vertices[:, parts.order], atol=1e-12)
    np.testing.assert_allclose(relative_rotations(tree, rotations), Rotation.from_rotvec(
        truth.pose.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3), atol=1e-12)  # fmt: skip


def test_a_part_without_vertices_starts_with_its_parent_s_rotation(model):
    truth, parts, tree = random_people(model, 2, spread=0.3), Parts(model), Tree.of(model)
    arm = indices(("left_shoulder", "left_elbow", "left_wrist", "left_hand"), SMPL_JOINTS)
    seen = np.broadcast_to(~model.weights[:, arm].any(1), truth.vertices.shape[:2])[:, parts.order].astype(float)
    shaped = parts.shape_vertices(np.zeros((2, 10)), np.zeros((2, 207)))
    upright = np.broadcast_to(np.eye(3), (2, 24, 3, 3))
    moments = parts.moments(shaped, upright, truth.vertices[:, parts.order], seen)
    found = align_parts(tree, moments, pull=1e-6)
    for joint in arm:
        np.testing.assert_allclose(found[:, joint], found[:, model.parents[joint]], atol=1e-6)
    expected = np.stack([in_space(model, pose) for pose in truth.pose])
    turns = turns_between(pose_of(tree, found)[:, :1], pose_of(tree, expected)[:, :1])
    assert turns.max() < 15  # degrees: neighbouring parts and betas disturb the closed form


def test_nearest_rotations_are_rotations_and_nearest():
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(50, 3, 3))  # half of them mirror
    found = nearest_rotations(matrices)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-12)
    traces = np.einsum("nij,nij->n", found, matrices)
    for turn in Rotation.random(200, random_state=1).as_matrix():
        assert (np.einsum("ij,nij->n", turn, matrices) <= traces + 1e-12).all()


def test_the_weighted_median_is_that_of_repeated_values():
    rng = np.random.default_rng(0)
    values, counts = rng.random((3, 41)), rng.integers(0, 4, (3, 41))
    expected = [np.sort(np.repeat(*row))[(row[1].sum() - 1) // 2] for row in zip(values, counts, strict=True)]
    np.testing.assert_array_equal(weighted_median(values, counts.astype(float)), expected)
