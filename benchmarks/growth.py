"""Measure how time and memory grow with the batch size, and with the number of rows of a data set.

    python -m benchmarks.growth [--batch_size 1 2 4 8] [--work infer end] [--rows 1000 10000 100000]

The slope is that of the least-squares line through the points. Every point is measured in a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.data import prepare_benchmark_root
from benchmarks.model_side import WORKS, add_settings, list_settings
from benchmarks.side_by_side import REPOSITORY, Side, measure
from benchmarks.timing import describe_machine, print_table
from benchmarks.train_step import write_inputs
from utils.errors import run_command
from utils.files import write_npz

TABLE = Path("DATASET_NPZ_PATH/up_3d_trainval.npz")


def fit_line(sizes: list[int], values: list[float]) -> str:
    """Fit a line through the points; returns it as text, "start + slope n"."""
    if len(sizes) < 2:
        return "-"
    step, start = np.polyfit(sizes, values, 1)
    return f"{start:.4g} + {step:.4g} n"


def measure_batches(work: str, root: Path, arguments) -> list[list]:
    """Measure every batch size: one table line each, and the fitted line."""
    points = []
    for size in arguments.batch_size:
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(Path(folder), root, size, arguments)
            side = Side("benchmarks.model_side", "mindspore", work, folder, root, *list_settings(arguments))
            measure([side], arguments.repeats)
            points.append((size, median(side.seconds), side.peak))
    return make_lines(f"{work}, batch", points)


def measure_lists(root: Path, counts: list[int]) -> list[list]:
    """Measure starting, opening a training list of n rows and making its first batch, for every n."""
    points = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_list(root, Path(folder), count)
            with Side("benchmarks.open_list", folder) as side:
                side.warm_up()
            points.append((count, side.first, side.peak))
    return make_lines("start to first batch, rows", points)


def write_list(root: Path, folder: Path, count: int) -> None:
    """Write a data root: a training list of `count` rows that repeats the photographs of `root`; the rest are links."""
    if not (root / TABLE).exists():
        words = ["preprocess_datasets.py", "--train_files", "--gt_iuv", "--data_dir", str(root)]
        subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True)
    for path in root.iterdir():
        if path.name != TABLE.parent.name:
            (folder / path.name).symlink_to(path)
    (folder / TABLE.parent).mkdir()
    with np.load(root / TABLE) as table:
        chosen = np.arange(count) % len(table["imgname"])
        write_npz(folder / TABLE, **{name: table[name][chosen] for name in table.files})


def make_lines(title: str, points: list[tuple]) -> list[list]:
    sizes, seconds, peaks = map(list, zip(*points, strict=True))
    table = [[title, size, f"{time:.3f}", f"{peak:.0f}"] for size, time, peak in points]
    return [*table, [title, "n", fit_line(sizes, seconds), fit_line(sizes, peaks)]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--work", nargs="*", choices=WORKS, default=["infer", "end"])
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data_dir", help="data root, prepared as UP-3D (default: one is generated)")
    add_settings(parser)
    arguments = parser.parse_args()
    root = prepare_benchmark_root(arguments.data_dir).resolve()
    rows = measure_lists(root, arguments.rows) if arguments.rows else []
    for work in arguments.work:
        rows += measure_batches(work, root, arguments)
    print(f"{describe_machine()}, {' '.join(list_settings(arguments))}, {arguments.repeats} repeats")
    print_table(["what", "n", "seconds", "peak MiB"], rows)


if __name__ == "__main__":
    run_command(main)
