"""Measure fits of SMPL parameters to meshes: milliseconds a person on one core, and errors against the truth.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.fitting [--data_dir DIR] [--people 200] [--batch 32]

The body is the generated one unless the data root has another; both have 6890 vertices. Each joint of a person is
turned by a normal deviate of 0.4 or 0.8 radians about each axis, betas are normal deviates, the root has any direction.
Noise is a sum of 64 random waves over the body at rest: errors of vertices are alike within the length in the first
column.
"""

import argparse
import os
import time

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.data import prepare_benchmark_root
from benchmarks.timing import describe_machine, print_table
from fitting.body_fit import BodyFitter
from utils import config
from utils.body_model import BodyModel, load_body_model, pose_vertices
from utils.errors import run_command

NOISE = 0.03  # metres, root mean square
WAVES = 64
HEADER = ["mesh", "ms a person", "vertices mm", "worst mm", "joints mm", "worst mm", "turns deg", "worst deg", "nearer"]


def draw_people(model: BodyModel, count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Random pose [N, 24, 3] and its vertices [N, V, 3]; each joint is turned by about `spread` radians."""
    rng = np.random.default_rng(0)
    pose = spread * rng.normal(size=(count, 24, 3))
    pose[:, 0] = Rotation.random(count, random_state=0).as_rotvec()
    shifts = rng.normal(size=(count, 1, 3))
    return pose, np.stack([pose_vertices(model, turns, rng.normal(size=10)) for turns in pose]) + shifts


def draw_noise(model: BodyModel, count: int, length: float) -> np.ndarray:
    """[N, V, 3] metres: smooth displacements, alike within `length` metres of the body at rest."""
    rng = np.random.default_rng(1)
    fields = np.empty((count, *model.v_template.shape))
    for field in fields:
        waves, phases = rng.normal(size=(WAVES, 3)) / length, rng.uniform(0, 2 * np.pi, WAVES)
        field[:] = np.cos(model.v_template @ waves.T + phases) @ rng.normal(size=(WAVES, 3))
        field *= NOISE / np.sqrt((field**2).sum(1).mean())
    return fields


def measure(fitter: BodyFitter, pose: np.ndarray, true: np.ndarray, given: np.ndarray, batch: int) -> list[str]:
    """Fit the given meshes [N, V, 3] in batches and compare with pose and vertices of the truth: a row of the table."""
    start = time.perf_counter()
    fits = [fitter(given[first : first + batch]) for first in range(0, len(given), batch)]
    milliseconds = 1000 * (time.perf_counter() - start) / len(given)
    found = np.concatenate([fitter.vertices(fit) for fit in fits])
    errors = 1000 * np.linalg.norm(found - true, axis=-1).mean(1)
    before = np.linalg.norm(given - true, axis=-1).mean(1) * 1000
    joints = 1000 * np.linalg.norm(fitter.model.joint_regressor @ (found - true), axis=-1)
    rotations = [Rotation.from_rotvec(turns.reshape(-1, 3)) for turns in (pose, np.concatenate([f.pose for f in fits]))]
    turns = np.degrees((rotations[0].inv() * rotations[1]).magnitude())
    nearer = f"{(errors < before).mean():.0%} of {before.mean():.1f} mm" if before.any() else ""
    values = (errors.mean(), errors.max(), joints.mean(), joints.max(), turns.mean(), turns.max())
    return [f"{milliseconds:.1f}", *(f"{value:.3f}" for value in values), nearer]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="data root instead of a generated one")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    prepare_benchmark_root(arguments.data_dir)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    model = load_body_model(config.SMPL_FILE)
    start = time.perf_counter()
    fitter = BodyFitter(model)
    prepared = time.perf_counter() - start
    fitter(model.v_template[None])
    rows = []
    for spread in (0.4, 0.8):
        pose, true = draw_people(model, arguments.people, spread)
        rows.append([f"true, joints {spread}", *measure(fitter, pose, true, true, arguments.batch)])
        for length in (0.05, 0.1, 0.15):
            noisy = true + draw_noise(model, len(true), length)
            name = f"noise alike over {length} m, joints {spread}"
            rows.append([name, *measure(fitter, pose, true, noisy, arguments.batch)])
    print(f"{describe_machine()}; {len(model.v_template)} vertices, batches of {arguments.batch}, prepared in "
          f"{prepared:.2f} s")  # fmt: skip
    print_table(HEADER, rows)


if __name__ == "__main__":
    run_command(main)
