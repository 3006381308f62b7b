"""Measure how long a table of SURREAL's columns takes to open, and what it costs in memory, in it and in its workers.

    python -m benchmarks.long_table [--rows 60000 600000 6000000] [--workers 4]

The rows are made up; their videos do not exist, so that only annotations are read. "Before" is the process with all
imports. Memory is resident memory; "private" is the part that a process does not share with others or with the file.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import numpy as np

from benchmarks.memory import read_own_peak
from benchmarks.side_by_side import REPOSITORY
from benchmarks.timing import describe_machine, print_table
from datasets.surreal_dataset import SurrealDataset
from utils import config
from utils.errors import run_command
from utils.files import Blocks, write_npz
from utils.train_options import TrainOptions

ROWS_AT_ONCE = 20_000
FRAMES = 10  # rows of one video
ITEMS = 2000  # that each worker reads
COLUMNS = ("pose", "betas", "keypoints_smpl", "pose_3d_smpl", "gender", "imgname")
HEADINGS = ["rows", "file MB", "open s", "before MiB", "peak MiB", "open MiB", "worker MiB", "worker private MiB"]


def write_table(path: Path, count: int) -> None:
    """A table of `count` rows with the columns and types that preprocess_surreal.py writes."""

    def column(shape: tuple, dtype, make) -> Blocks:
        starts = range(0, count, ROWS_AT_ONCE)
        rows = (np.arange(start, min(start + ROWS_AT_ONCE, count)) for start in starts)
        return Blocks((count, *shape), np.dtype(dtype), (make(numbers) for numbers in rows))

    def names(numbers, text: str) -> np.ndarray:
        return np.array([text.format(number // FRAMES, FRAMES * (number % FRAMES)) for number in numbers.tolist()])

    def random(shape: tuple, dtype=np.float32) -> Blocks:
        return column(
            shape, dtype, lambda numbers: np.random.default_rng(int(numbers[0])).random((len(numbers), *shape))
        )

    write_npz(
        path,
        videoname=column((), "U40", lambda numbers: names(numbers, "run0/{0:07d}/{0:07d}_c0001.mp4")),
        framenum=column((), np.int64, lambda numbers: FRAMES * (numbers % FRAMES)),
        gender=column((), "U1", lambda numbers: np.where(numbers % 2, "m", "f")),
        center=random((2,), np.float64), scale=column((), np.float64, lambda numbers: np.full(len(numbers), 0.5)),
        pose=random((72,)), shape=random((10,)), part_smpl=random((24, 3)), S_smpl=random((24, 4)),
        iuv_names=column((), "U60", lambda numbers: names(numbers, "BF_IUV_gt/run0/{0:07d}/{0:07d}_c0001_{1}.png")),
    )  # fmt: skip


def memory() -> tuple[float, float]:
    """Resident and private memory of this process in MiB."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as stream:
        fields = {line.split(":")[0]: int(line.split()[1]) for line in stream if line.endswith("kB\n")}
    return fields["Rss"] / 1024, (fields["Private_Clean"] + fields["Private_Dirty"]) / 1024


def open_table(root: str, workers: int) -> None:
    """The child: opens the table, lets forked workers read, and prints one line of figures."""
    config.set_data_root(root)
    options = TrainOptions().parse_args(["--dataset", "surreal"])
    before, started = memory()[0], time.perf_counter()
    dataset = SurrealDataset(options, "surreal", "train")
    seconds, after, peak = time.perf_counter() - started, memory()[0], read_own_peak()
    pipes = []
    for worker in range(workers):
        reader, writer = os.pipe()
        if os.fork() == 0:
            for index in np.random.default_rng(worker).integers(len(dataset), size=ITEMS):
                dataset.item(int(index), columns=COLUMNS)
            os.write(writer, f"{memory()[0]:.1f} {memory()[1]:.1f}".encode())
            os._exit(0)
        pipes.append(reader)
    resident, private = np.mean([list(map(float, os.read(pipe, 100).split())) for pipe in pipes], axis=0)
    print(f"{seconds:.2f} {before:.0f} {peak:.0f} {after:.0f} {resident:.0f} {private:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[60_000, 600_000])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--open", metavar="ROOT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.open:
        open_table(arguments.open, arguments.workers)
        return
    lines = []
    for count in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"DATASET_NPZ_PATH/{config.SURREAL_TRAIN_NPZ}.npz"
            write_table(path, count)
            words = ["-m", "benchmarks.long_table", "--open", folder, "--workers", str(arguments.workers)]
            child = subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True, capture_output=True, text=True)
            lines.append([count, f"{path.stat().st_size / 1e6:.0f}", *child.stdout.split()])
    print(f"{describe_machine()}, {arguments.workers} workers")
    print_table(HEADINGS, lines)


if __name__ == "__main__":
    run_command(main)
