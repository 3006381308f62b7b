"""The SMPL body model and its joint sets as a MindSpore cell.

Source: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015. The arrays come from
utils.body_model; V is the number of vertices of the model file.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from models.geometric_layers import rodrigues
from utils import config
from utils.body_model import (
    NUM_BETAS,
    NUM_JOINTS,
    load_body_model,
    load_joint_regressors,
)


def bone_rows(parents: np.ndarray) -> np.ndarray:
    """Parents [24], -1 for the root -> [24, 24]: joints -> each minus its parent, the root itself."""
    rows = np.eye(len(parents))
    children = np.flatnonzero(parents >= 0)
    rows[children, parents[children]] = -1
    return rows


def ancestor_jumps(parents: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For 1, 2, 4 ... steps up the tree while any joint has so many: (the joint there, or 0; whether there is one)."""
    jumps, ancestors = [], np.asarray(parents)
    while (ancestors >= 0).any():
        reached = np.maximum(ancestors, 0)
        jumps.append((reached, ancestors >= 0))
        ancestors = np.where(ancestors >= 0, ancestors[reached], -1)
    return jumps


def _regress(vertices: Tensor, columns: Tensor) -> Tensor:
    """Vertices [B, V, 3], regressor [V, joints] -> joints [B, joints, 3]."""
    batch = vertices.shape[0]
    axes = vertices.transpose(0, 2, 1).reshape(batch * 3, -1)
    return ops.matmul(axes, columns).reshape(batch, 3, -1).transpose(0, 2, 1)


class SMPL(nn.Cell):
    """(pose, betas) -> vertices [B, V, 3] in metres.

    pose: [B, 72] axis-angle or rotation matrices [B, 24, 3, 3]; betas: [B, 10].
    """

    def __init__(self, model_file=None):
        super().__init__()
        model = load_body_model(model_file or config.SMPL_FILE)
        regressors = load_joint_regressors(model=model)
        self.faces = model.faces
        self.num_vertices = len(model.v_template)

        def constant(array: np.ndarray) -> Tensor:
            return Tensor(np.ascontiguousarray(array), ms.float32)

        self.v_template = constant(model.v_template.reshape(1, -1))
        self.shapedirs = constant(model.shapedirs.reshape(-1, NUM_BETAS).T)
        self.posedirs = constant(model.posedirs.reshape(-1, 9 * (NUM_JOINTS - 1)).T)
        # joints are linear in betas: J = regressor (template + shapedirs beta)
        self.rest_joints = constant((model.joint_regressor @ model.v_template).reshape(1, -1))
        joint_shapedirs = np.tensordot(model.joint_regressor, model.shapedirs, 1)
        self.joint_shapedirs = constant(joint_shapedirs.reshape(-1, NUM_BETAS).T)
        self.weights = constant(model.weights)
        self.identity = constant(np.eye(3))
        self.bones = constant(bone_rows(model.parents))
        self.jumps = tuple(
            (Tensor(ancestors.astype(np.int32)), constant(exists[:, None, None]))
            for ancestors, exists in ancestor_jumps(model.parents)
        )

        # [V, joints]; with a product of a matrix and a batch MindSpore would copy the matrix for every sample
        self.smpl_columns = constant(regressors.smpl_rows.T)
        self.joint_columns = constant(regressors.joint_rows.T)
        self.lsp_columns = constant(regressors.lsp_rows.T)
        self.train_columns = constant(regressors.train_rows.T)

    def construct(self, pose: Tensor, betas: Tensor) -> Tensor:
        batch = betas.shape[0]
        rotations = pose if pose.ndim == 4 else rodrigues(pose.reshape(-1, 3)).reshape(batch, NUM_JOINTS, 3, 3)
        shaped = self.v_template + ops.matmul(betas, self.shapedirs)
        joints = (self.rest_joints + ops.matmul(betas, self.joint_shapedirs)).reshape(batch, NUM_JOINTS, 3)
        pose_feature = (rotations[:, 1:] - self.identity).reshape(batch, -1)
        posed = (shaped + ops.matmul(pose_feature, self.posedirs)).reshape(batch, -1, 3)
        world_rotations, shifts = self._world_transforms(rotations, joints)
        return self._blend(posed, world_rotations, shifts)

    def _world_transforms(self, rotations: Tensor, joints: Tensor):
        """Rotations [B, 24, 3, 3], rest joints [B, 24, 3] -> the joints' world rotations, shifts [B, 24, 3].

        A joint's transform is first relative to its parent, then to the parent's parent, and so on by doubling.
        """
        places = ops.matmul(self.bones, joints)[..., None]
        for ancestors, exists in self.jumps:
            outer = ops.gather(rotations, ancestors, 1)
            moved = ops.matmul(outer, places) + ops.gather(places, ancestors, 1)
            places = exists * moved + (1 - exists) * places
            rotations = exists * ops.matmul(outer, rotations) + (1 - exists) * rotations
        return rotations, (places - ops.matmul(rotations, joints[..., None]))[..., 0]

    def _blend(self, posed: Tensor, world_rotations: Tensor, shifts: Tensor) -> Tensor:
        batch = posed.shape[0]
        rotations = self._weigh(world_rotations.reshape(batch, NUM_JOINTS, 9)).reshape(batch, -1, 3, 3)
        return (rotations * posed[:, :, None, :]).sum(-1) + self._weigh(shifts)

    def _weigh(self, values: Tensor) -> Tensor:
        """Values of joints [B, 24, n] -> of vertices [B, V, n], by one product for all samples."""
        batch, _, count = values.shape
        weighed = ops.matmul(self.weights, values.transpose(1, 0, 2).reshape(NUM_JOINTS, -1))
        return weighed.reshape(-1, batch, count).transpose(1, 0, 2)

    def get_smpl_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 24, 3]: the joints of the kinematic tree."""
        return _regress(vertices, self.smpl_columns)

    def get_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 24, 3]: the training joint set, regressed from SMPL's own rows and the extra rows."""
        return _regress(vertices, self.joint_columns)

    def get_train_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 24, 3]: get_joints with joints 0-12 and 18 from the LSP regressor."""
        return _regress(vertices, self.train_columns)

    def get_lsp_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 14, 3]: LSP joints."""
        return _regress(vertices, self.lsp_columns)

    def get_eval_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 14, 3]: the joints of the evaluation, the LSP set."""
        return self.get_lsp_joints(vertices)

    def get_full_joints(self, vertices: Tensor) -> Tensor:
        """[B, V, 3] -> [B, 38, 3]: the 24 SMPL joints followed by the 14 LSP joints."""
        return ops.concat([self.get_smpl_joints(vertices), self.get_lsp_joints(vertices)], 1)
