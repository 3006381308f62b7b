"""Compare the measured time with a floor: the network's multiply-adds at the machine's rate of matrix products.

    python -m benchmarks.floor [--batch_size 4] [--work dp end infer] [--repeats 5]

The multiply-adds of one forward pass are counted while it runs. A training step counts as three forward passes, because
a convolution has two gradients of its own size. The matrix rate is that of numpy's float32 product; rate and work are
measured in turn.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import mindspore as ms
import numpy as np

from benchmarks.data import prepare_benchmark_root
from benchmarks.model_side import add_settings, list_settings, make_options
from benchmarks.multiply_adds import count_multiply_adds
from benchmarks.side_by_side import Side
from benchmarks.timing import describe_machine, print_table
from benchmarks.train_step import write_inputs
from models.dense_cnn import get_CNet, get_LNet
from models.DMR import DMR
from utils.errors import run_command
from utils.optional_kernels import find_kernels

SIDE = 3072  # rows and columns of the matrices
FORWARD_PASSES = {"dp": 3, "end": 3, "infer": 1}


def count_forward_pass(arguments) -> dict[str, float]:
    """Count the multiply-adds of a forward pass per image, for the CNet and for both networks."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    options = make_options(arguments)
    dmr = DMR(get_CNet(options), get_LNet(options)).set_train(False)
    find_kernels().accelerate(dmr, arguments.kernels)
    images = ms.ops.zeros((arguments.batch_size, 3, arguments.img_res, arguments.img_res))
    cnet, both = count_multiply_adds(lambda: dmr.CNet(images)), count_multiply_adds(lambda: dmr(images))
    return {work: count / arguments.batch_size for work, count in (("dp", cnet), ("end", both), ("infer", both))}


def measure_matrix_rate(matrix: np.ndarray) -> float:
    """Multiply `matrix` by itself; returns multiply-adds per second."""
    start = time.perf_counter()
    matrix @ matrix
    return len(matrix) ** 3 / (time.perf_counter() - start)


def measure_row(work: str, count: float, folder: Path, root: Path, arguments) -> list:
    """Measure a line of the table: the work and matrix products, in turn."""
    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    rates, seconds = [], []
    with Side("benchmarks.model_side", "mindspore", work, folder, root, *list_settings(arguments)) as side:
        side.warm_up()
        measure_matrix_rate(matrix)
        for _ in range(arguments.repeats):
            seconds.append(side.run()["seconds"])
            rates.append(measure_matrix_rate(matrix))
    floor = arguments.batch_size * FORWARD_PASSES[work] * count / median(rates)
    return [work, f"{count / 1e9:.1f}", f"{median(rates) / 1e9:.0f}", f"{floor:.2f}", f"{median(seconds):.2f}",
            f"{floor / median(seconds):.0%}"]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--work", nargs="+", choices=list(FORWARD_PASSES), default=list(FORWARD_PASSES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data_dir", help="data root with a body model (default: one is generated)")
    add_settings(parser)
    arguments = parser.parse_args()
    root = prepare_benchmark_root(arguments.data_dir).resolve()
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder), root, arguments.batch_size, arguments)
        counts = count_forward_pass(arguments)  # after write_inputs, whose imports choose MindSpore's device
        rows = [measure_row(work, counts[work], Path(folder), root, arguments) for work in arguments.work]
    print(f"{describe_machine()}, batch {arguments.batch_size}, {' '.join(list_settings(arguments))}")
    header = ["work", "G multiply-adds an image, forward", "matrix rate, G/s", "floor s", "measured s", "share"]
    print_table(header, rows)


if __name__ == "__main__":
    run_command(main)
