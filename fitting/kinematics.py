"""The kinematic tree of many bodies at once: rotations and joints of the posed body, and what moves them.

Rotations are those of the joints in space, G [N, 24, 3, 3], not relative to the parent: G_k = G_parent R_k. A small
change of G_k is a vector w in space, G_k -> exp(w) G_k. It leaves the rotations of all other joints as they are.
Source of the model: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015.
"""

from dataclasses import dataclass

import numpy as np

from utils.body_model import NUM_BETAS, BodyModel
from utils.joints import NUM_JOINTS


@dataclass(frozen=True)
class Tree:
    """The joints of one body model."""

    parents: np.ndarray  # [24], -1 for the root
    rest: np.ndarray  # [24, 3], metres: the joints of the mean body
    shape: np.ndarray  # [24, 3, 10], metres for a unit of betas
    towards: np.ndarray  # [24, 24]: the child of joint a on the way down to joint k at [k, a]; -1 where there is no way

    @classmethod
    def of(cls, model: BodyModel) -> "Tree":
        """The tree of a body model."""
        towards = np.full((NUM_JOINTS, NUM_JOINTS), -1)
        for joint in range(NUM_JOINTS):
            child, above = joint, model.parents[joint]
            while above >= 0:
                towards[joint, above] = child
                child, above = above, model.parents[above]
        shape = np.tensordot(model.joint_regressor, model.shapedirs, 1)
        return cls(model.parents, model.joint_regressor @ model.v_template, shape, towards)

    def bones(self, joints: np.ndarray) -> np.ndarray:
        """Joints, or their derivatives, [..., 24, 3, (10)] -> the same minus those of the parent; the root stays."""
        axis = joints.ndim - (2 if joints.shape[-1] == 3 else 3)
        above = np.take(joints, np.maximum(self.parents, 0), axis)
        root = np.expand_dims(self.parents < 0, tuple(range(1, joints.ndim - axis)))
        return joints - np.where(root, 0, above)


@dataclass(frozen=True)
class Posed:
    """N bodies: how each joint carries the vertices, and how this depends on betas."""

    rotations: np.ndarray  # [N, 24, 3, 3], in space
    bones: np.ndarray  # [N, 24, 3]: from the posed parent to the posed joint
    turned_joints: np.ndarray  # [N, 24, 3]: G_k times the joint at rest
    shifts: np.ndarray  # [N, 24, 3]: joint k moves x to G_k x + shift_k, before the translation of the body
    shift_shape: np.ndarray  # [N, 24, 3, 10]: the derivatives of the shifts by betas


def pose_joints(tree: Tree, rotations: np.ndarray, betas: np.ndarray) -> Posed:
    """Rotations in space [N, 24, 3, 3] and betas [N, 10] -> the posed joints."""
    joints = tree.rest + np.tensordot(betas, tree.shape, (1, 2))
    carried = np.where((tree.parents < 0)[:, None, None], np.eye(3), rotations[:, np.maximum(tree.parents, 0)])
    bones = (carried @ tree.bones(joints)[..., None])[..., 0]
    bone_shape = carried @ tree.bones(tree.shape)
    places, place_shape = _sum_along_chains(tree, bones), _sum_along_chains(tree, bone_shape)
    turned = (rotations @ joints[..., None])[..., 0]
    return Posed(rotations, bones, turned, places - turned, place_shape - rotations @ tree.shape)


def _sum_along_chains(tree: Tree, values: np.ndarray) -> np.ndarray:
    sums = values.copy()
    for joint, parent in enumerate(tree.parents):
        if parent >= 0:
            sums[:, joint] += sums[:, parent]
    return sums


def relative_rotations(tree: Tree, rotations: np.ndarray) -> np.ndarray:
    """Rotations in space [N, 24, 3, 3] -> those relative to the parent, which SMPL's pose holds."""
    relative = rotations.copy()
    relative[:, 1:] = rotations[:, tree.parents[1:]].swapaxes(-1, -2) @ rotations[:, 1:]
    return relative


def feature_map(tree: Tree, posed: Posed) -> np.ndarray:
    """[N, 24 * 4, 24 * 3 + 30]: what the features (w_k x, w_k) of a vertex add to its levers and shape derivatives.

    A vertex at rest x with skinning weights w_k moves by the sum over joints a of w_a x lever_a, and by D times the
    change of betas. Levers, [24, 3], and D, [3, 10], are linear in the features, but for the vertex' own shape
    derivative (Parts.moments has it as a feature).
    """
    count = len(posed.rotations)
    joints = np.arange(NUM_JOINTS)
    levers = np.zeros((count, NUM_JOINTS, 4, NUM_JOINTS, 3))
    # the own joint turns the vertex about itself ...
    levers[:, joints, :3, joints] = np.moveaxis(posed.rotations.swapaxes(-1, -2), 1, 0)
    # ... and each joint above carries along the bone that leads down to it
    below = tree.towards >= 0
    levers[:, :, 3] = np.where(below[..., None], posed.bones[:, np.maximum(tree.towards, 0)], 0)
    levers[:, joints, 3, joints] -= posed.turned_joints
    shape = np.zeros((count, NUM_JOINTS, 4, 3 * NUM_BETAS))
    shape[:, :, 3] = posed.shift_shape.reshape(count, NUM_JOINTS, -1)
    rows = (count, 4 * NUM_JOINTS, -1)
    return np.concatenate([levers.reshape(rows), shape.reshape(rows)], 2)
