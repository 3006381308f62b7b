"""Measure what a rigged .glb leaves out: all but four weights of a vertex, and the pose blend shapes. Millimetres.

python -m benchmarks.rigging [--data_dir DIR] [--people 200]

The body is the generated one unless the data root has another. Poses are those of the generated photographs, betas
normal deviates. Each person's vertices are compared with those of the whole model.
"""

import argparse
import dataclasses

import numpy as np

from benchmarks.data import prepare_benchmark_root
from benchmarks.timing import print_table
from reconstruction.rigged_glb import MAX_WEIGHTS, strongest_weights
from synthetic.photographs.poses import sample_pose
from utils import config
from utils.body_model import BodyModel, load_body_model, pose_vertices
from utils.errors import run_command

HEADER = ["left out", "mean mm", "95 % below mm", "worst mm"]


def keep_four_weights(model: BodyModel) -> BodyModel:
    """The model with the weights of a rigged .glb."""
    joints, shares = strongest_weights(model.weights)
    weights = np.zeros_like(model.weights)
    np.add.at(weights, (np.arange(len(weights))[:, None], joints), shares)
    return dataclasses.replace(model, weights=weights)


def straighten(model: BodyModel) -> BodyModel:
    """The model without pose blend shapes."""
    return dataclasses.replace(model, posedirs=np.zeros_like(model.posedirs))


def measure(model: BodyModel, poorer: BodyModel, people: list) -> list[str]:
    """Mean, 95th percentile and largest distance of vertices, mm."""
    errors = [np.linalg.norm(pose_vertices(model, *person) - pose_vertices(poorer, *person), axis=1)
              for person in people]  # fmt: skip
    values = 1000 * np.concatenate(errors)
    return [f"{value:.3f}" for value in (values.mean(), np.percentile(values, 95), values.max())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="data root instead of a generated one")
    parser.add_argument("--people", type=int, default=200)
    arguments = parser.parse_args()
    prepare_benchmark_root(arguments.data_dir)
    model = load_body_model(config.SMPL_FILE)
    rng = np.random.default_rng(0)
    people = []
    for _ in range(arguments.people):
        betas = rng.normal(size=10)
        people.append((sample_pose(rng, model, betas).pose, betas))
    more = (model.weights > 0).sum(1) > MAX_WEIGHTS
    print(f"{len(model.v_template)} vertices, {more.mean():.0%} of which follow more than {MAX_WEIGHTS} joints; "
          f"{len(people)} people")  # fmt: skip
    rows = [
        ["weights", *measure(model, keep_four_weights(model), people)],
        ["pose blend shapes", *measure(model, straighten(model), people)],
        ["both", *measure(model, straighten(keep_four_weights(model)), people)],
    ]
    print_table(HEADER, rows)


if __name__ == "__main__":
    run_command(main)
