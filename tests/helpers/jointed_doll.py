"""A body model of 24 balls and rods, and files that stand for those which the photographs do not read."""

import pickle

import numpy as np
import scipy.sparse
import trimesh

from utils import config
from utils.own_body.skeleton import body_parts

JOINTS = {
    0: (0, -0.22, 0.03), 1: (0.06, -0.31, 0.02), 3: (0, -0.11, 0), 4: (0.11, -0.69, 0.02), 6: (0, 0.03, 0),
    7: (0.1, -1.09, -0.02), 9: (0, 0.08, 0.02), 10: (0.12, -1.15, 0.1), 12: (0, 0.29, -0.01), 13: (0.08, 0.19, 0),
    15: (0, 0.38, 0.03), 16: (0.17, 0.22, 0), 18: (0.43, 0.21, -0.03), 20: (0.69, 0.21, -0.03), 22: (0.77, 0.2, -0.04),
}  # fmt: skip
PAIRS = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23))
PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]


def jointed_doll() -> dict:
    """A doll of 24 balls and rods, each rigid with its joint, as the content of an SMPL pickle."""
    places = dict(JOINTS)
    for left, right in PAIRS:
        places[right] = (-places[left][0], *places[left][1:])
    joints = np.array([places[joint] for joint in range(24)])
    vertices, faces, owners = [], [], []
    for joint in range(24):
        children = [child for child in range(24) if PARENTS[child] == joint]
        end = joints[children[0]] if children else joints[joint] + 0.8 * (joints[joint] - joints[PARENTS[joint]])
        rod = trimesh.creation.capsule(1.0, 1.0, count=(8, 8))
        radius = 0.11 if joint in (0, 3, 6, 9, 15) else 0.045
        along = end - joints[joint]
        tip = np.clip(rod.vertices[:, 2:], 0, 1)
        flesh = radius * (rod.vertices - tip * [0, 0, 1])
        turn = trimesh.geometry.align_vectors([0, 0, 1], along / np.linalg.norm(along))[:3, :3]
        faces.append(rod.faces + sum(map(len, vertices)))
        vertices.append(joints[joint] + flesh @ turn.T + tip * along)
        owners += [joint] * len(rod.vertices)
    vertices, owners = np.concatenate(vertices), np.array(owners)
    shapedirs = np.zeros((len(vertices), 3, 10))
    shapedirs[..., 0], shapedirs[:, 0, 1] = 0.03 * vertices, 0.03 * vertices[:, 0]
    return {
        "v_template": vertices,
        "shapedirs": shapedirs,
        "posedirs": np.zeros((len(vertices), 3, 207)),
        "J_regressor": scipy.sparse.csc_matrix(rows_through(vertices, owners, joints, range(24))),
        "weights": np.eye(24)[owners],
        "f": np.concatenate(faces).astype(np.uint32),
        "kintree_table": np.array([[4294967295, *PARENTS[1:]], range(24)], np.uint32),
        "owners": owners,
        "joints": joints,
    }


def rows_through(vertices, owners, points, joints) -> np.ndarray:
    """Regressor rows [n, V] that give `points` and use the vertices of one joint each."""
    rows = np.zeros((len(points), len(vertices)))
    for row, (point, joint) in enumerate(zip(points, joints, strict=True)):
        chosen = np.flatnonzero(owners == joint)
        system = np.concatenate([vertices[chosen], np.ones((len(chosen), 1))], 1).T
        rows[row, chosen] = np.linalg.lstsq(system, np.append(point, 1), rcond=None)[0]
    return rows


def write_doll(root) -> None:
    doll = jointed_doll()
    owners, joints = doll.pop("owners"), doll.pop("joints")
    for path in (config.SMPL_FILE, config.MALE_SMPL_FILE, config.FEMALE_SMPL_FILE):
        path.write_bytes(pickle.dumps(doll, 2))
    face = joints[15] + [0, 0.05, 0]
    points = [face + [0, 0, 0.1], face + [-0.03, 0.03, 0.09], face + [0.03, 0.03, 0.09], face + [-0.09, 0, 0],
              face + [0.09, 0, 0], joints[2], joints[1], joints[12], face + [0, 0.16, 0], joints[0], joints[12],
              joints[6], face - [0, 0.1, 0], face]  # fmt: skip
    extra = rows_through(doll["v_template"], owners, points, [15] * 5 + [2, 1, 12, 15, 0, 9, 6, 15, 15])
    np.save(config.JOINT_REGRESSOR_TRAIN_EXTRA, extra)
    stacked = np.concatenate([doll["J_regressor"].toarray(), extra])
    np.save(
        config.LSP_REGRESSOR_EVAL, stacked[[8, 5, 29, 30, 4, 7, 21, 19, 17, 16, 18, 20, 31, 32]].T.astype(np.float32)
    )
    for path in (
        config.JOINT_REGRESSOR_H36M,
        config.REFERENCE_MESH,
        config.VERTEX_TEXTURE_FILE,
    ):
        path.write_bytes(b"not read here")
    config.SEGMENTATION_FILE.write_bytes(pickle.dumps(body_parts(doll["weights"]), 2))


def write_empty_atlases(root) -> None:
    for name in config.ATLAS_TEMPLATES:
        path = config.atlas_template(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not read here")
