"""SMPL's 24 joints and skinning weights from MakeHuman's rig of 163 bones."""

import numpy as np

from synthetic.body.makehuman import MakeHuman
from utils.joints import NUM_JOINTS, SMPL_FLIP, SMPL_JOINTS

INFLUENCES = 4  # joints per vertex, as in SMPL
# joint -> the bones whose skin it moves; the first of them begins at the joint. Others count to the bone above them.
BONES = {
    "pelvis": ("spine04", "spine05", "root"), "spine1": ("spine03",), "spine2": ("spine02",), "spine3": ("spine01",),
    "neck": ("neck01",), "head": ("head",), "hip": ("upperleg01",), "knee": ("lowerleg01",), "ankle": ("foot",),
    "foot": ("toe2-1", "toe1-1", "toe3-1", "toe4-1", "toe5-1"), "collar": ("clavicle",), "shoulder": ("upperarm01",),
    "elbow": ("lowerarm01",), "wrist": ("wrist",),
    "hand": ("finger3-1", "finger1-1", "finger2-1", "finger4-1", "finger5-1"),
}  # fmt: skip


def joint_vertices(data: MakeHuman) -> list[np.ndarray]:
    """For each of the 24 joints the vertices of the base mesh whose mean is its place."""
    return [data.bones[_bones(joint)[0]][1] for joint in SMPL_JOINTS]


def skinning_weights(data: MakeHuman) -> np.ndarray:
    """[N, 24]: the symmetric weights of the base mesh's vertices; rows sum to one and have at most four entries."""
    owner = {bone: number for number, joint in enumerate(SMPL_JOINTS) for bone in _bones(joint)}
    weights = np.zeros((len(data.mesh.vertices), NUM_JOINTS))
    for bone, (vertices, shares) in data.weights.items():
        while bone not in owner:
            bone = data.bones[bone][0]
        np.add.at(weights[:, owner[bone]], vertices, shares)
    weights = (weights + weights[data.mesh.mirror][:, SMPL_FLIP]) / 2
    # Subtracting the fifth largest keeps the weights symmetric, and continuous where a joint drops out.
    weights = np.maximum(weights - np.sort(weights, axis=1)[:, -INFLUENCES - 1 : -INFLUENCES], 0)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)


def _bones(joint: str) -> list[str]:
    side, _, name = joint.rpartition("_")
    return [f"{bone}.{side[0].upper()}" if side else bone for bone in BONES[name]]
