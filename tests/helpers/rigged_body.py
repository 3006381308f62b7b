"""The capsule body as Blender would hold it: arms hanging, z up, facing -y, in centimetres, moved by Unreal's bones."""

import types

import numpy as np
from scipy.spatial.transform import Rotation

from tests.atlas.test_unwrap import capsule_body
from utils.joints import PARENTS, SMPL_JOINTS, opposite
from utils.objfile import ObjMesh
from utils.own_body.skeleton import subtree

PLACES = {
    "pelvis": (0, 0.15, 0), "left_hip": (0.09, 0.08, 0), "spine1": (0, 0.22, 0), "left_knee": (0.105, -0.28, 0),
    "spine2": (0, 0.3, 0), "left_ankle": (0.12, -0.66, 0), "spine3": (0, 0.38, 0), "left_foot": (0.12, -0.69, 0.08),
    "neck": (0, 0.53, 0), "left_collar": (0.06, 0.48, 0), "head": (0, 0.6, 0), "left_shoulder": (0.15, 0.48, -0.005),
    "left_elbow": (0.37, 0.48, -0.005), "left_wrist": (0.55, 0.48, -0.005), "left_hand": (0.6, 0.48, -0.005),
}  # fmt: skip
BONE_NAMES = {
    "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03", "neck": "neck_01",
    "head": "head", "hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball", "collar": "clavicle",
    "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand", "hand": "middle_01",
}  # fmt: skip
ARM_DOWN = 40.0  # degrees
SOFT = 0.05  # metres


def straight_body() -> tuple[ObjMesh, np.ndarray, np.ndarray]:
    """The body in its T pose, metres: mesh, joints [24, 3], weights [V, 24]."""
    mesh = capsule_body(0.034)
    joints = np.array(
        [PLACES.get(name) or np.multiply(PLACES[opposite(name)], (-1, 1, 1)) for name in SMPL_JOINTS], float
    )
    distance = np.full((len(mesh.vertices), 24), np.inf)
    for joint in range(24):
        children = np.flatnonzero(np.equal(PARENTS, joint))
        ends = joints[children] if len(children) else joints[[joint]] + 0.6 * (joints[joint] - joints[PARENTS[joint]])
        if joint == 9:
            ends = ends[:1]  # the collars have bones of their own
        for end in ends:
            distance[:, joint] = np.minimum(distance[:, joint], _to_segment(mesh.vertices, joints[joint], end))
    weights = np.exp(-((distance - distance.min(axis=1, keepdims=True)) / SOFT))
    weights[weights < 0.05] = 0
    return mesh, joints, weights / weights.sum(axis=1, keepdims=True)


def _to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(points - start - share[:, None] * along, axis=1)


def lower_arms(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The body with both arms turned down about the shoulders: vertices [V, 3], joints [24, 3]."""
    vertices, joints = vertices.copy(), joints.copy()
    for shoulder, sign in ((16, -1), (17, 1)):
        turn = Rotation.from_euler("z", sign * ARM_DOWN, degrees=True)
        centre, moved = joints[shoulder].copy(), subtree(shoulder)
        share = weights[:, moved].sum(axis=1, keepdims=True)
        vertices = (1 - share) * vertices + share * (turn.apply(vertices - centre) + centre)
        joints[moved] = turn.apply(joints[moved] - centre) + centre
    return vertices, joints


def as_exported(points: np.ndarray) -> np.ndarray:
    """Points [N, 3] in metres and our axes -> centimetres with z up, facing -y."""
    return 100 * np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def blender(mesh: ObjMesh, joints: np.ndarray, weights: np.ndarray) -> types.SimpleNamespace:
    """What stands for Blender's `bpy`, with this body (metres) as the selected object, exported as `as_exported` says.

    A bone above the pelvis, and a finger tip that has a part of the hand's weights, hang on the named bones.
    """
    space = types.SimpleNamespace
    names, parents = [], []
    for joint, name in enumerate(SMPL_JOINTS):
        side, _, plain = name.rpartition("_")
        names.append(BONE_NAMES[plain] + (f"_{side[0]}" if side else ""))
        parents.append(names[PARENTS[joint]] if joint else "Root")
    bones = {name: space(name=name, head_local=head) for name, head in zip(names, as_exported(joints), strict=True)}
    bones["Root"] = space(name="Root", head_local=np.zeros(3))
    for side in "lr":
        bones[f"index_02_{side}"] = space(name=f"index_02_{side}", head_local=bones[f"middle_01_{side}"].head_local)
        for finger in ("index", "ring", "pinky", "thumb"):
            bones[f"{finger}_01_{side}"] = space(
                name=f"{finger}_01_{side}", head_local=bones[f"middle_01_{side}"].head_local
            )
            parents.append(f"hand_{side}")
            names.append(f"{finger}_01_{side}")
        names.append(f"index_02_{side}")
        parents.append(f"index_01_{side}")
    for name, parent in zip(names, parents, strict=True):
        bones[name].parent = bones[parent]
    bones["Root"].parent = None
    columns = np.zeros((len(weights), len(names)))
    columns[:, :24] = weights
    for side in "lr":
        hand, finger = names.index(f"middle_01_{side}"), names.index(f"index_02_{side}")
        columns[:, finger] = 0.25 * columns[:, hand]
        columns[:, hand] *= 0.75
    vertices = [
        space(index=index, co=place, groups=[space(group=group, weight=row[group]) for group in np.flatnonzero(row)])
        for index, (place, row) in enumerate(zip(as_exported(mesh.vertices), columns.tolist(), strict=True))
    ]
    rig = space(matrix_world=np.eye(3), data=space(bones=bones.values()))
    triangles = [space(vertices=face) for face in mesh.faces.tolist()]
    data = space(vertices=vertices, loop_triangles=triangles, calc_loop_triangles=lambda: None)
    body = space(
        data=data, matrix_world=np.eye(3), find_armature=lambda: rig, vertex_groups=[space(name=name) for name in names]
    )
    return space(context=space(object=body))
