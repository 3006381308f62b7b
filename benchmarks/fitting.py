"""Measure fits of SMPL parameters to meshes: milliseconds a person on one core, and errors against the truth.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.fitting [--data_dir DIR] [--people 200] [--batch 32]

The body is the generated one, of 7022 vertices, unless a data root with another is given. Each joint of a
person is turned by a normal deviate of 0.4 or 0.8 radians about each axis; betas are normal deviates, the root has any
direction. Noise is 30 mm, root mean square, in a sum of 64 random waves over the body at rest: the errors of vertices
within the length in the first column are alike.
"""

import argparse
import os
import time

import numpy as np

from benchmarks.data import prepare_benchmark_root
from benchmarks.timing import describe_machine, print_table
from fitting.body_fit import BodyFitter
from tests.helpers.random_people import People, mean_distances, noisy, random_people, turns_between
from utils import config
from utils.body_model import load_body_model
from utils.errors import run_command

HEADER = ["mesh", "ms a person", "vertices mm", "worst mm", "joints mm", "worst mm", "turns deg", "worst deg", "nearer"]


def measure(fitter: BodyFitter, truth: People, given: np.ndarray, batch: int) -> list[str]:
    """Fit meshes [N, V, 3] in batches and compare with the truth: the row of the table after the name."""
    start = time.perf_counter()
    fits = [fitter(given[first : first + batch]) for first in range(0, len(given), batch)]
    milliseconds = 1000 * (time.perf_counter() - start) / len(given)
    found = np.concatenate([fitter.vertices(fit) for fit in fits])
    errors, before = mean_distances(found, truth.vertices), mean_distances(given, truth.vertices)
    joints = 1000 * np.linalg.norm(fitter.model.joint_regressor @ (found - truth.vertices), axis=-1)
    turns = turns_between(np.concatenate([fit.pose for fit in fits]), truth.pose)
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
        truth = random_people(model, arguments.people, spread=spread)
        rows.append([f"true, joints {spread}", *measure(fitter, truth, truth.vertices, arguments.batch)])
        for length in (0.05, 0.1, 0.15):
            given = noisy(truth.vertices, model.v_template, length)
            rows.append([f"noise of {length} m, joints {spread}", *measure(fitter, truth, given, arguments.batch)])
    print(f"{describe_machine()}; {len(model.v_template)} vertices, batches of {arguments.batch}, prepared in "
          f"{prepared:.2f} s")  # fmt: skip
    print_table(HEADER, rows)


if __name__ == "__main__":
    run_command(main)
