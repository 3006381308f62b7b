"""Skinning weights and pose correctives of the mannequin.

Weights: each vertex first belongs to one bone, by the region of the body that it lies in. Heat that flows along the
surface (cotangent Laplacian, implicit steps) then softens the borders over a width that fits the limb. Heat moves along
the skin only, so it does not jump from one leg to the other or from a hand to a thigh.

Pose correctives: linear blend skinning loses volume where a joint bends or twists. Dual quaternion skinning (Kavan et
al., 2007) keeps it: for a single joint it is a rotation about that joint by the blended quaternion. `posedirs` is the
least-squares fit of the difference to the nine numbers of R - I of each joint.
"""

import itertools

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial.transform import Rotation

from synthetic.body.remesh import MirroredMesh
from synthetic.body.skeleton import point
from utils.joints import NUM_JOINTS, SMPL_FLIP, SMPL_JOINTS
from utils.own_body.skeleton import subtree

INFLUENCES = 4  # joints per vertex, as in SMPL
_HEAT_STEPS = 2
# width of the soft border (metres) by the bone that a vertex belongs to; narrow limbs bend sharply
_WIDTH = {
    "pelvis": 0.050, "spine1": 0.050, "spine2": 0.050, "spine3": 0.050, "neck": 0.028, "head": 0.022,
    "left_collar": 0.045, "left_shoulder": 0.034, "left_elbow": 0.026, "left_wrist": 0.016, "left_hand": 0.012,
    "left_hip": 0.044, "left_knee": 0.034, "left_ankle": 0.022, "left_foot": 0.016,
}  # fmt: skip
_ANGLES = np.radians((35, 70, 105))  # of the rotations that the correctives are fitted to
_RIDGE = 0.05
# Share of the quaternion correction that is used. Quaternion skinning swells, most of all where both thighs bend; with
# these shares a body that sits at 90 degrees has the same volume as at rest.
_STRENGTH, _HIP_STRENGTH = 0.8, 0.45


def bone_regions(vertices: np.ndarray) -> np.ndarray:
    """[V] int: the joint whose bone a rest-pose vertex belongs to, by planes through the joints."""
    place = vertices * (np.sign(vertices[:, :1]) * (1, 0, 0) + (0, 1, 1))  # fold to the left side
    x, y, z = place.T
    region = np.full(len(vertices), SMPL_JOINTS.index("pelvis"))

    def assign(name, inside):
        region[inside] = SMPL_JOINTS.index(name)

    for name in ("spine1", "spine2", "spine3"):
        assign(name, y > point(name)[1])
    collar, shoulder, head, neck, hip = (
        point(name) for name in ("left_collar", "left_shoulder", "head", "neck", "left_hip")
    )
    assign("left_collar", (y > collar[1] - 0.06) & (x > collar[0]))
    # the throat is lower in front, the base of the skull higher behind
    assign("neck", (y > neck[1] - 0.5 * (z - neck[2])) & (x < collar[0] + 0.03))
    assign("head", (y > head[1] - 0.8 * (z - head[2])) & (x < 0.1))
    for name in ("left_shoulder", "left_elbow", "left_wrist", "left_hand"):
        assign(name, (x > point(name)[0]) & (y > shoulder[1] - 0.12))
    # the groin runs upwards and outwards
    assign("left_hip", (y - hip[1] < 0.9 * (x - hip[0]) - 0.005) & (y < hip[1] + 0.2))
    for name in ("left_knee", "left_ankle"):
        assign(name, y < point(name)[1])
    foot = point("left_foot")
    assign("left_foot", (y < point("left_ankle")[1]) & (z > foot[2]))
    return np.where(vertices[:, 0] < 0, SMPL_FLIP[region], region)


def skinning_weights(mesh: MirroredMesh) -> np.ndarray:
    """[V, 24] float64: rows sum to one, at most four joints, exactly mirror-symmetric."""
    region = bone_regions(mesh.vertices)
    names = [name.replace("right", "left") for name in SMPL_JOINTS]
    width = np.array([_WIDTH[name] for name in names])[region]
    weights = _symmetric(_heat_flow(mesh, width, np.eye(NUM_JOINTS)[region]), mesh.mirror)
    # Subtracting the fifth largest keeps the weights continuous where a joint drops out.
    floor = np.maximum(np.sort(weights, axis=1)[:, -INFLUENCES - 1 : -INFLUENCES], 0.01)
    weights = np.maximum(weights - floor, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _heat_flow(mesh: MirroredMesh, width: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Let `start` [V, K] flow over the surface for a time that blurs it by about `width` [V] metres."""
    faces, corners = mesh.faces, mesh.vertices[mesh.faces]
    rows, columns, values = [], [], []
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    for apex, first, second in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        a, b = corners[:, first] - corners[:, apex], corners[:, second] - corners[:, apex]
        cotangent = (a * b).sum(axis=1) / np.linalg.norm(np.cross(a, b), axis=1)
        pair = faces[:, first], faces[:, second]
        conduct = 0.25 * cotangent * (width[pair[0]] ** 2 + width[pair[1]] ** 2) / _HEAT_STEPS
        rows += [*pair, *pair]
        columns += [pair[1], pair[0], *pair]
        values += [-conduct, -conduct, conduct, conduct]
    shape = (len(mesh.vertices),) * 2
    flow = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape).tocsc()
    mass = np.bincount(faces.ravel(), np.repeat(area / 3, 3))
    solver = splu((diags(mass) + flow).tocsc())
    for _ in range(_HEAT_STEPS):
        start = solver.solve(mass[:, None] * start)
    return start


def _symmetric(weights: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return 0.5 * (weights + weights[mirror][:, SMPL_FLIP])


def pose_correctives(mesh: MirroredMesh, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """[V, 3, 207] float64, metres: per-vertex offsets, linear in vec(R_1..23 - I), row-major."""
    axes = np.array([axis for axis in itertools.product((-1, 0, 1), repeat=3) if any(axis)], np.float64)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    rotations = Rotation.from_rotvec((axes[:, None] * _ANGLES[:, None]).reshape(-1, 3))
    features = (rotations.as_matrix() - np.eye(3)).reshape(-1, 9)
    fit = np.linalg.solve(features.T @ features + _RIDGE * np.eye(9), features.T)  # [9, S]
    directions = np.zeros((len(weights), 3, 23, 9))
    for joint in range(1, NUM_JOINTS):
        share = weights[:, subtree(joint)].sum(axis=1)
        bent = np.flatnonzero((share > 1e-6) & (share < 1 - 1e-6))
        offsets = _volume_offsets(mesh.vertices[bent] - joints[joint], share[bent], rotations)
        strength = _HIP_STRENGTH if SMPL_JOINTS[joint].endswith("hip") else _STRENGTH
        directions[bent, :, joint - 1] = strength * np.einsum("ks,snc->nck", fit, offsets)
    mirrored = _mirror_correctives(directions, mesh.mirror)
    return (0.5 * (directions + mirrored)).reshape(len(weights), 3, 207)


def _volume_offsets(arms: np.ndarray, share: np.ndarray, rotations: Rotation) -> np.ndarray:
    """Offsets [S, N, 3] at rest that make linear blending give the positions of quaternion blending.

    arms: [N, 3] vertices relative to the joint; share: [N] of the weight that turns with the joint.
    """
    turn = rotations.as_matrix()[:, None]
    blended = (1 - share)[:, None, None] * np.eye(3) + share[:, None, None] * turn  # [S, N, 3, 3]
    quaternion = rotations.as_quat()[:, None] * share[:, None]
    quaternion[..., 3] += 1 - share
    whole = Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix().reshape(blended.shape)
    change = np.linalg.solve(blended, whole) - np.eye(3)
    return np.einsum("snij,nj->sni", change, arms)


def _mirror_correctives(directions: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The correctives [V, 3, 23, 9] of the mirror image: R becomes S R S and offsets S d, S = diag(-1, 1, 1)."""
    sign = np.array([-1.0, 1.0, 1.0])
    swapped = directions[mirror][:, :, SMPL_FLIP[1:] - 1]
    return swapped * sign[None, :, None, None] * np.outer(sign, sign).ravel()
