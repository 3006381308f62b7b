"""The figures of the benchmarks in float64 numpy, from the definitions of the data sets and from joint numbers.

It reads the tables and regressors themselves; the body is that of tests/reference/body.py.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from tests.reference.body import Body

BODIES = {
    "": "basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl",
    "m": "basicmodel_m_lbs_10_207_0_v1.0.0.pkl",
    "f": "basicmodel_f_lbs_10_207_0_v1.0.0.pkl",
}
FOURTEEN = [*range(12), 12, 18]  # of the 24 training joints
SEVENTEEN = [*FOURTEEN, 14, 16, 17]
SPIN_FOURTEEN = [6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10]  # of the 17 rows of J_regressor_h36m.npy
SPIN_SEVENTEEN = [*SPIN_FOURTEEN, 0, 7, 9]


def true_meshes(root: Path, table: dict) -> np.ndarray:
    """[N, V, 3]: the mesh of each row, of its gender's model."""
    genders = table.get("gender", np.array([""] * len(table["pose"])))
    return np.stack([
        Body(root, BODIES[str(gender)])(torch.tensor(pose)[None], torch.tensor(betas)[None])[0].numpy()
        for gender, pose, betas in zip(genders, table["pose"], table["shape"], strict=True)
    ])  # fmt: skip


def meshes_and_joints(root: Path, dataset: str, meshes: np.ndarray, joints: str) -> tuple[np.ndarray, np.ndarray]:
    """Meshes [N, V, 3] and their joints [N, K, 3], both relative to the root."""
    if joints == "spin":
        rows = np.load(root / "J_regressor_h36m.npy")
        chosen = rows[SPIN_SEVENTEEN if dataset == "mpi-inf-3dhp" else SPIN_FOURTEEN]
        centre = np.einsum("v,nvc->nc", rows[0], meshes)
    else:
        rows = Body(root).training_rows.numpy()
        chosen = rows[SEVENTEEN if dataset == "mpi-inf-3dhp" else FOURTEEN]
        centre = np.einsum("v,nvc->nc", (rows[2] + rows[3]) / 2, meshes)
    return meshes - centre[:, None], np.einsum("kv,nvc->nkc", chosen, meshes) - centre[:, None]


def annotated_joints(dataset: str, table: dict, joints: str) -> np.ndarray:
    """[N, K, 3]: the annotated joints, relative to their root."""
    positions = table["S"][..., :3]
    root = positions[:, 14] if joints == "spin" else (positions[:, 2] + positions[:, 3]) / 2
    return positions[:, SEVENTEEN if dataset == "mpi-inf-3dhp" else FOURTEEN] - root[:, None]


def has_truth(dataset: str, table: dict) -> np.ndarray:
    """[N]: whether the truth of a row is known."""
    if dataset in ("up-3d", "3dpw"):
        return table["has_smpl"] > 0
    return (table["has_pose_3d"] > 0) & (
        table["S"][:, SEVENTEEN if dataset == "mpi-inf-3dhp" else FOURTEEN, 3] > 0
    ).all(1)


def figures(root: Path, dataset: str, table: dict, predicted: np.ndarray, joints: str = "training") -> dict:
    """Figure -> [N] for predicted meshes [N, V, 3]; NaN without truth."""
    predicted = predicted.astype(np.float64)
    meshes, found = meshes_and_joints(root, dataset, predicted, joints)
    results = {}
    if dataset in ("up-3d", "3dpw"):
        true, wanted = meshes_and_joints(root, dataset, true_meshes(root, table), joints)
        away = 1000 * np.sqrt(((meshes - true) ** 2).sum(2))
        results["shape_error" if dataset == "up-3d" else "pve"] = away.mean(1)
    else:
        wanted = annotated_joints(dataset, table, joints)
    errors = 1000 * np.sqrt(((found - wanted) ** 2).sum(2))
    results["mpjpe"] = errors.mean(1)
    results["pa_mpjpe"] = np.array([aligned_error(*pair) for pair in zip(found, wanted, strict=True)])
    if dataset == "mpi-inf-3dhp":
        results["pck"] = np.array([percent_below(row[:14], 150) for row in errors])
        steps = [5 * step for step in range(31)]
        results["auc"] = np.array([sum(percent_below(row[:14], step) for step in steps) / 31 for row in errors])
    known = has_truth(dataset, table)
    return {name: np.where(known, values, np.nan) for name, values in results.items()}


def percent_below(errors: np.ndarray, threshold: float) -> float:
    return 100 * sum(error < threshold for error in errors) / len(errors)


def aligned_error(points: np.ndarray, targets: np.ndarray) -> float:
    """Mean distance in mm after the best rotation, scale and shift, without reflection."""
    points, targets = points - points.mean(0), targets - targets.mean(0)
    rotation, _ = Rotation.align_vectors(targets, points)
    turned = rotation.apply(points)
    scale = (turned * targets).sum() / (turned**2).sum()
    return float(1000 * np.linalg.norm(scale * turned - targets, axis=1).mean())
