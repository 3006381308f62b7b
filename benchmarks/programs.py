"""Measure demo.py and eval.py as whole programs: from the command to the first result, and each further image.

    python -m benchmarks.programs [--images 17] [--rounds 3] [--data_dir DIR] [--checkpoint FOLDER] [--kernels compiled]

Without --checkpoint the network has its full width and random weights. It takes as long as a trained one, but its
meshes are crumpled, and to draw and fit them takes several times as long. Each program runs with one image
and with --images of them, in turn; the median of the first is the time to the first result, and the difference is what
the others take. The kernels were compiled by an earlier start. demo.py writes meshes, pictures and a fitted body for
each photograph, in batches of one; eval.py computes errors, in batches of 16.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import numpy as np

from benchmarks.data import prepare_benchmark_root
from benchmarks.memory import REPOSITORY
from benchmarks.timing import describe_machine, print_table
from utils.checkpoints import checkpoint
from utils.errors import run_command
from utils.files import write_npz

TEST_LIST = "up_3d_lsp_test.npz"


def write_network(root: Path, folder: Path) -> Path:
    """Write a network of random weights with its config.json; returns the file of its weights."""
    from tests.helpers.small_network import random_network

    options, dmr = random_network(root)
    weights = folder / "dmr_1.ckpt"
    checkpoint.save_weights(dmr, weights)
    checkpoint.save_config(options, folder)
    return weights


def measure_command(words: list, data_root: Path) -> float:
    """Run a program of this repository; returns its seconds. CalledProcessError if it fails."""
    command = [sys.executable, *map(str, words)]
    started = time.perf_counter()
    environment = os.environ | {"DECOMR_DATA": str(data_root)}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def make_photographs(photograph: Path, folder: Path, count: int) -> Path:
    """Copy a photograph so often into a new folder."""
    folder.mkdir()
    for number in range(count):
        shutil.copy(photograph, folder / f"{number:05d}.png")
    return folder


def make_test_list(root: Path, folder: Path, count: int) -> Path:
    """Make a data root whose test list is the first test photograph of `root` so often; the other files are links."""
    made = folder / f"data{count}"
    (made / "DATASET_NPZ_PATH").mkdir(parents=True)
    for path in root.iterdir():
        if path.name != "DATASET_NPZ_PATH":
            (made / path.name).symlink_to(path)
    with np.load(root / "DATASET_NPZ_PATH" / TEST_LIST) as table:
        write_npz(made / "DATASET_NPZ_PATH" / TEST_LIST, **{name: table[name][[0] * count] for name in table.files})
    return made


def measure_program(run, images: int, rounds: int) -> list[str]:
    """run: called with a number of images, returns seconds. The cells of a line of the table."""
    run(1)  # reads the files into the page cache, compiles the kernels
    seconds: dict[int, list[float]] = {1: [], images: []}
    for _ in range(rounds):
        for count, taken in seconds.items():
            taken.append(run(count))
    first, all_images = (median(taken) for taken in seconds.values())
    return [f"{first:.1f}", f"{1000 * (all_images - first) / (images - 1):.0f}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=17)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data_dir")
    parser.add_argument("--checkpoint", help="trained weights for the data root, or their folder")
    parser.add_argument("--kernels", default="auto")
    arguments = parser.parse_args()
    root = prepare_benchmark_root(arguments.data_dir)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = Path(arguments.checkpoint).resolve() if arguments.checkpoint else write_network(root, folder)
        photograph = sorted((root / "up-3d").glob("*_image.png"))[0]
        photographs = {
            count: make_photographs(photograph, folder / f"{count}", count) for count in (1, arguments.images)
        }
        shared = ["--checkpoint", weights, "--kernels", arguments.kernels]

        def demo(count: int) -> float:
            out = folder / "out"
            shutil.rmtree(out, ignore_errors=True)
            return measure_command(
                ["demo.py", *shared, "--img", photographs[count], "--out", out, "--batch_size", 1], root
            )

        measure_command(["preprocess_datasets.py", "--eval_files"], root)
        lists = {count: make_test_list(root, folder, count) for count in (1, arguments.images)}

        def evaluate(count: int) -> float:
            return measure_command(
                ["eval.py", *shared, "--save_root", folder / "results", "--batch_size", 16], lists[count]
            )

        rows = [
            [title, *measure_program(run, arguments.images, arguments.rounds)]
            for title, run in (("demo.py, batches of 1", demo), ("eval.py, batches of 16", evaluate))
        ]
    print(describe_machine())
    print_table(["program", "first result s", "each further image ms"], rows)
    return 0


if __name__ == "__main__":
    run_command(main)
