"""SMPL in PyTorch (Loper et al., 2015), by homogeneous transforms and the matrix exponential."""

import numpy as np
import torch
import torch.nn.functional as F

from utils.array_files.pickles import load_pickle

# rows of [J_regressor; J_regressor_extra] that make the 24 training joints
TRAINING_ROWS = [8, 5, 29, 30, 4, 7, 21, 19, 17, 16, 18, 20, 31, 32, 33, 34, 35, 36, 37, 24, 26, 25, 28, 27]


def rotation_matrices(axis_angles: torch.Tensor) -> torch.Tensor:
    """[..., 3] -> [..., 3, 3] as the exponential of the cross-product matrix."""
    x, y, z = axis_angles.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(cross)


class Body:
    """A body model and its joint sets, from the files below `root`, in double precision."""

    def __init__(self, root, name: str = "basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl"):
        content = load_pickle(root / name)
        as_tensor = {key: torch.as_tensor(np.array(content[key], np.float64)) for key in
                     ("v_template", "shapedirs", "posedirs", "weights")}  # fmt: skip
        self.__dict__.update(as_tensor)
        self.parents = np.array(content["kintree_table"])[0].astype(np.int64)
        self.smpl_rows = torch.as_tensor(np.asarray(content["J_regressor"].todense()))
        extra = torch.as_tensor(np.load(root / "J_regressor_extra.npy"))
        self.lsp_rows = torch.as_tensor(np.load(root / "smpl2lsp_j_regressor_nt_v2.npy").T.astype(np.float64))
        self.joint_rows = torch.cat([self.smpl_rows, extra])[TRAINING_ROWS]
        self.training_rows = torch.cat(
            [self.lsp_rows[:13], self.joint_rows[13:18], self.lsp_rows[13:], self.joint_rows[19:]]
        )

    def __call__(self, pose: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """pose [B, 72], betas [B, 10] -> vertices [B, V, 3]."""
        rotations = rotation_matrices(pose.double().unflatten(1, (24, 3)))
        shaped = self.v_template + torch.einsum("vck,bk->bvc", self.shapedirs, betas.double())
        joints = self.smpl_rows @ shaped
        bends = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)
        posed = shaped + torch.einsum("vck,bk->bvc", self.posedirs, bends)

        world = [homogeneous(rotations[:, 0], joints[:, 0])]
        for joint in range(1, 24):
            parent = self.parents[joint]
            world.append(world[parent] @ homogeneous(rotations[:, joint], joints[:, joint] - joints[:, parent]))
        back = homogeneous(torch.eye(3).to(joints).expand_as(rotations), -joints)
        skinning = torch.einsum("vj,bjrc->bvrc", self.weights, torch.stack(world, 1) @ back)
        points = F.pad(posed, (0, 1), value=1.0)[..., None]
        return (skinning @ points)[..., :3, 0].to(pose)


def homogeneous(rotation: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """[..., 3, 3], [..., 3] -> [..., 4, 4]."""
    top = torch.cat([rotation, shift[..., None]], -1)
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(top).expand(*top.shape[:-2], 1, 4)
    return torch.cat([top, bottom], -2)
