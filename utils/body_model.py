"""SMPL body models as float64 numpy arrays, and linear blend skinning for the data tools.

Preprocessing, rendering and the synthetic photographs pose bodies here, without starting MindSpore.
The network poses them with models.smpl, which takes its arrays from this file.
Source: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse

from utils import config
from utils.array_files.pickles import load_arrays, load_npy
from utils.errors import UserError, warn
from utils.files import require_file
from utils.joints import (
    EXTRA_JOINTS,
    FROM_LSP_REGRESSOR,
    H36M_JOINTS,
    LSP_JOINTS,
    NUM_JOINTS,
    TRAINING_JOINTS,
    TRAINING_ROWS,
    indices,
)
from utils.rotations import rotation_matrices

NUM_BETAS = 10
SPARSE = 0.25  # share of numbers that are not 0, below which a sparse product is faster
LARGEST_REGRESSOR = 10**8  # elements; a hostile file can state any size for a sparse matrix

NEUTRAL = -1
GENDERS = {"m": 0, "f": 1}  # letter in an .npz -> number in a batch
# number in a batch -> constant of utils.config
MODEL_FILES = {0: "MALE_SMPL_FILE", 1: "FEMALE_SMPL_FILE", NEUTRAL: "SMPL_FILE"}


@dataclass(frozen=True)
class BodyModel:
    """V vertices, F triangles; lengths in metres."""

    v_template: np.ndarray  # [V, 3]
    shapedirs: np.ndarray  # [V, 3, 10]
    posedirs: np.ndarray  # [V, 3, 207]
    joint_regressor: np.ndarray  # [24, V]
    weights: np.ndarray  # [V, 24]
    faces: np.ndarray  # [F, 3] int64
    parents: np.ndarray  # [24] int64, -1 for the root

    @functools.cached_property
    def owners(self) -> np.ndarray:
        """[V]: the joint that moves each vertex most."""
        return self.weights.argmax(axis=1)

    @functools.cached_property
    def pose_matrix(self):
        """[3 V, 207]: posedirs as one matrix, which is sparse where that is faster: most joints move few vertices."""
        dense = self.posedirs.reshape(-1, self.posedirs.shape[-1])
        return scipy.sparse.csr_matrix(dense) if np.count_nonzero(dense) < SPARSE * dense.size else dense


def load_body_model(path) -> BodyModel:
    """Read an SMPL pickle or .npz; UserError names an array that is missing or has another shape."""
    path = require_file(config.body_model_file(path), "Put the SMPL model there; see data/README.md.")
    content = load_arrays(path)
    names = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")
    missing = [name for name in names if name not in content]
    if missing:
        raise UserError(f"{path} is not an SMPL model: it has no {', '.join(missing)}.")
    try:
        model = _assemble(content)
    except (TypeError, ValueError, IndexError, OverflowError) as error:  # numpy's errors for values that are not arrays
        raise UserError(f"{path} is not an SMPL model: {error}.") from error
    _check_shapes(path, model)
    return model


def _assemble(content: dict) -> BodyModel:
    template, regressor = np.asarray(content["v_template"], np.float64), content["J_regressor"]
    if scipy.sparse.issparse(regressor):
        if math.prod(regressor.shape) > LARGEST_REGRESSOR:
            raise ValueError(f"J_regressor has shape {regressor.shape}")
        regressor = regressor.toarray()
    regressor = np.asarray(regressor)
    parents = np.asarray(content["kintree_table"])[0].astype(np.int64)
    return BodyModel(
        v_template=template,
        shapedirs=np.ascontiguousarray(np.asarray(content["shapedirs"], np.float64)[..., :NUM_BETAS]),
        posedirs=np.asarray(content["posedirs"], np.float64),
        joint_regressor=regressor.astype(np.float64),
        weights=np.asarray(content["weights"], np.float64),
        faces=np.asarray(content["f"]).astype(np.int64),
        parents=np.where(np.arange(len(parents)) == 0, -1, parents),
    )


def load_model_of_gender(gender: int) -> BodyModel:
    """The body model of the data root for a gender number of a batch; each file is read once."""
    return _load_once(config.body_model_file(getattr(config, MODEL_FILES[gender])))


@functools.lru_cache(maxsize=len(MODEL_FILES))
def _load_once(path: Path) -> BodyModel:
    return load_body_model(path)


def _check_shapes(path: Path, model: BodyModel) -> None:
    count = len(model.v_template)
    expected = {
        "v_template": (count, 3),
        "shapedirs": (count, 3, NUM_BETAS),
        "posedirs": (count, 3, 9 * (NUM_JOINTS - 1)),
        "joint_regressor": (NUM_JOINTS, count),
        "weights": (count, NUM_JOINTS),
        "faces": (len(model.faces), 3),
        "parents": (NUM_JOINTS,),
    }
    for name, shape in expected.items():
        found = getattr(model, name).shape
        if found != shape:
            raise UserError(f"{path}: {name} has shape {found}, expected {shape}. Is it an SMPL model of 24 joints?")
    for name in ("v_template", "shapedirs", "posedirs", "joint_regressor", "weights"):
        if not np.isfinite(getattr(model, name)).all():
            raise UserError(f"{path}: {name} has numbers that are not finite.")
    if not len(model.faces):
        raise UserError(f"{path}: the body has no triangles.")
    if model.faces.max() >= count or model.faces.min() < 0:
        raise UserError(f"{path}: a triangle names vertex {model.faces.max()}, but there are {count} vertices.")
    if not ((model.parents[1:] >= 0) & (model.parents[1:] < np.arange(1, NUM_JOINTS))).all():
        raise UserError(f"{path}: kintree_table does not give every joint but the first a parent before it.")


def pose_vertices(model: BodyModel, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Linear blend skinning: pose [72] axis-angle, betas [10] -> vertices [V, 3] in metres."""
    shaped = shape_vertices(model, betas)
    return skin(model.weights, shaped + pose_correctives(model, pose), *joint_transforms(model, pose, shaped))


def skin(weights: np.ndarray, points: np.ndarray, rotations: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Points [N, 3] of the rest pose, each moved by its mean joint transform; weights [N, 24], see joint_transforms."""
    blended = np.tensordot(weights, rotations, 1)
    return np.einsum("nab,nb->na", blended, points) + weights @ shifts


def joint_transforms(model: BodyModel, pose: np.ndarray, shaped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How joints move a `shaped` body [V, 3]: rotations [24, 3, 3] and shifts [24, 3], x -> rotation x + shift."""
    joints = model.joint_regressor @ shaped
    rotations, places = pose_tree(model.parents, _local_rotations(pose), joints)
    return rotations, places - np.einsum("jab,jb->ja", rotations, joints)


def pose_correctives(model: BodyModel, pose: np.ndarray) -> np.ndarray:
    """[V, 3]: how a pose [72] changes the vertices before they are skinned."""
    return (model.pose_matrix @ (_local_rotations(pose)[1:] - np.eye(3)).ravel()).reshape(-1, 3)


def _local_rotations(pose: np.ndarray) -> np.ndarray:
    return rotation_matrices(np.asarray(pose, np.float64).reshape(NUM_JOINTS, 3))


def shape_vertices(model: BodyModel, betas: np.ndarray) -> np.ndarray:
    """The body at rest: betas [10] -> vertices [V, 3] in metres."""
    # one product of a matrix takes a quarter of the time of V products
    offsets = model.shapedirs.reshape(-1, NUM_BETAS) @ np.asarray(betas, np.float64).reshape(NUM_BETAS)
    return model.v_template + offsets.reshape(-1, 3)


def pose_joints(model: BodyModel, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """The joints of the kinematic tree: pose [72] axis-angle, betas [10] -> [24, 3] in metres."""
    return pose_tree(model.parents, _local_rotations(pose), model.joint_regressor @ shape_vertices(model, betas))[1]


def pose_tree(parents: np.ndarray, rotations: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations relative to the parents [24, 3, 3] and joints at rest [24, 3] -> both of the posed body, in space."""
    world_rotation = np.empty_like(rotations)
    world_joint = np.empty_like(joints)
    for joint, parent in enumerate(parents):
        if parent < 0:
            world_rotation[joint], world_joint[joint] = rotations[joint], joints[joint]
        else:
            world_rotation[joint] = world_rotation[parent] @ rotations[joint]
            world_joint[joint] = world_joint[parent] + world_rotation[parent] @ (joints[joint] - joints[parent])
    return world_rotation, world_joint


@dataclass(frozen=True)
class JointRegressors:
    """The matrices that turn vertices [V, 3] into the joint sets of this field."""

    smpl_rows: np.ndarray  # [24, V]
    joint_rows: np.ndarray  # [24, V] get_joints
    lsp_rows: np.ndarray  # [14, V]

    def smpl(self, vertices: np.ndarray) -> np.ndarray:
        """[V, 3] -> [24, 3]: the joints of the kinematic tree."""
        return self.smpl_rows @ vertices

    def joints(self, vertices: np.ndarray) -> np.ndarray:
        """[V, 3] -> [24, 3]: the training joints, from SMPL's own rows and the extra ones."""
        return self.joint_rows @ vertices

    def lsp(self, vertices: np.ndarray) -> np.ndarray:
        """[V, 3] -> [14, 3]: LSP joints."""
        return self.lsp_rows @ vertices

    @property
    def train_rows(self) -> np.ndarray:
        """[24, V]: `joint_rows`, with the rows of FROM_LSP_REGRESSOR taken from the LSP regressor."""
        rows = self.joint_rows.copy()
        rows[indices(FROM_LSP_REGRESSOR, TRAINING_JOINTS)] = self.lsp_rows
        return rows


def load_joint_regressors(data_root=None, model: BodyModel | None = None) -> JointRegressors:
    """Read the regressors below `data_root` (default: the data root) that belong to `model`.

    `model` gives the 24 SMPL rows (default: the neutral model). If the file of the LSP regressor is
    missing, the first 14 training joints replace its rows, with a warning.
    """
    root = Path(data_root or config.DATA_ROOT)
    model = model or load_body_model(root / config.SMPL_FILE.name)
    extra_file = root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name
    extra = _read_rows(extra_file, len(EXTRA_JOINTS), len(model.v_template), transposed=False)
    joint_rows = np.concatenate([model.joint_regressor, extra])[TRAINING_ROWS]
    lsp_file = root / config.LSP_REGRESSOR_EVAL.name
    if lsp_file.is_file():
        lsp_rows = _read_rows(lsp_file, len(LSP_JOINTS), len(model.v_template), transposed=True)
    else:
        warn(f"{lsp_file} is missing: LSP joints are taken from J_regressor and {extra_file.name}.")
        lsp_rows = joint_rows[: len(LSP_JOINTS)]
    return JointRegressors(model.joint_regressor, joint_rows, lsp_rows)


def load_h36m_regressor(num_vertices: int) -> np.ndarray:
    """[17, V]: the rows of J_regressor_h36m.npy, H36M_JOINTS, for a body of V vertices; UserError without the file."""
    return _read_rows(config.JOINT_REGRESSOR_H36M, len(H36M_JOINTS), num_vertices, transposed=False)


def _read_rows(path: Path, count: int, num_vertices: int, transposed: bool) -> np.ndarray:
    require_file(path, "It comes with the body model; see data/README.md.")
    matrix = load_npy(path).astype(np.float64)
    rows = matrix.T if transposed else matrix
    if rows.shape != (count, num_vertices):
        raise UserError(f"{path} has shape {matrix.shape}, expected {count} rows for {num_vertices} vertices.")
    return rows
