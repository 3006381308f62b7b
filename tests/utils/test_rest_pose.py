"""Parts of a body are turned about their joints, and what lies between two parts is not made thin."""

import numpy as np
from scipy.spatial.transform import Rotation

from utils.joints import NUM_JOINTS, PARENTS, SMPL_JOINTS
from utils.own_body.rest_pose import turn_parts
from utils.own_body.skeleton import subtree

ELBOW = SMPL_JOINTS.index("left_elbow")


def some_body():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 3)), rng.normal(size=(NUM_JOINTS, 3)), rng.dirichlet(np.ones(NUM_JOINTS), 50)


def turns_of(joints, rotation):
    turns = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
    turns[joints] = rotation.as_matrix()
    return turns


def test_a_body_that_is_turned_as_a_whole_keeps_its_form():
    vertices, joints, weights = some_body()
    rotation = Rotation.from_rotvec([0.3, -0.8, 1.1])
    turned, moved = turn_parts(vertices, joints, weights, turns_of(np.arange(NUM_JOINTS), rotation))
    np.testing.assert_allclose(turned, rotation.apply(vertices - joints[0]) + joints[0], atol=1e-12)
    np.testing.assert_allclose(moved, rotation.apply(joints - joints[0]) + joints[0], atol=1e-12)


def test_what_belongs_half_to_each_side_of_a_joint_turns_by_half_the_angle_about_it():
    vertices, joints, _ = some_body()
    weights = np.zeros((50, NUM_JOINTS))
    weights[:, [ELBOW, PARENTS[ELBOW]]] = 0.5
    rotation = Rotation.from_rotvec([0.2, 1.2, -0.4])
    turned, _ = turn_parts(vertices, joints, weights, turns_of(subtree(ELBOW), rotation))
    half = Rotation.from_rotvec(rotation.as_rotvec() / 2)
    np.testing.assert_allclose(turned, half.apply(vertices - joints[ELBOW]) + joints[ELBOW], atol=1e-12)


def test_turning_back_gives_the_body_again():
    vertices, joints, weights = some_body()
    turns = Rotation.from_rotvec(np.random.default_rng(1).normal(0, 0.4, (NUM_JOINTS, 3))).as_matrix()
    turned, moved = turn_parts(vertices, joints, weights, turns)
    back, places = turn_parts(turned, moved, weights, np.transpose(turns, (0, 2, 1)))
    np.testing.assert_allclose(places, joints, atol=1e-12)
    np.testing.assert_allclose(back, vertices, atol=1e-12)
