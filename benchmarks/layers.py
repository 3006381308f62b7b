"""Show where the time of inference goes, layer by layer, beside the floor of the multiply-adds of each.

    python -m benchmarks.layers [--batch_size 1 4 16] [--repeats 5] [--cnet_width 1] [--lnet_width 1] [--img_res 224]

The floor of a layer is its multiply-adds at the rate of a large float32 product in numpy. Layers are timed in
pynative mode, in which demo.py computes by default; below them stand the same work without the waits between layers,
and in graph mode.
"""

import argparse
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median
from unittest import mock

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import mindspore as ms
import numpy as np
from mindspore import nn

from benchmarks.data import prepare_benchmark_root
from benchmarks.floor import SIDE, measure_matrix_rate
from benchmarks.model_side import add_settings, list_settings, make_options
from benchmarks.multiply_adds import observe_multiply_adds
from benchmarks.timing import describe_machine, print_table
from models.batch_norm_folding import fold_batch_norm
from models.dense_cnn import get_CNet, get_LNet
from models.DMR import DMR
from models.inference import MeshPredictor
from models.uv_generator import Index_UV_Generator
from utils.errors import run_command
from utils.optional_kernels import find_kernels

BETWEEN = "between them"


def name_layers(dmr: DMR) -> dict[int, str]:
    """Name the layers of the table by the id of their cells: stages of the encoder, and parts of the rest."""
    names = {}
    for name, cell in dmr.cells_and_names():
        depth = 3 if name.startswith(("CNet.resnet", "CNet.dp_layers")) else 2
        if name.count(".") == depth - 1:
            names[id(cell)] = name
    return names


@contextlib.contextmanager
def watch_layers(names: dict[int, str], enter: Callable[[str], None], leave: Callable[[str], None]) -> Iterator[None]:
    """Call `enter` and `leave` with the name of each of these layers, before and after it computes; PYNATIVE mode."""
    call_cell = nn.Cell.__call__

    def call(cell, *inputs):
        if id(cell) not in names:
            return call_cell(cell, *inputs)
        enter(names[id(cell)])
        output = call_cell(cell, *inputs)
        leave(names[id(cell)])
        return output

    with mock.patch.object(nn.Cell, "__call__", call):
        yield


def count_by_layer(names: dict[int, str], run: Callable) -> dict[str, int]:
    """Count the multiply-adds of each layer in `run`."""
    counts, inside = defaultdict(int), [BETWEEN]

    def observe(count: int) -> None:
        counts[inside[-1]] += count

    with watch_layers(names, inside.append, lambda _name: inside.pop()), observe_multiply_adds(observe):
        run()
    return counts


def time_by_layer(names: dict[int, str], run: Callable) -> dict[str, float]:
    """Measure the seconds of each layer in `run`, and of what lies between them."""
    seconds, started = defaultdict(float), {}

    def enter(name: str) -> None:
        started[name] = time.perf_counter()

    def leave(name: str) -> None:
        seconds[name] += time.perf_counter() - started[name]

    begin = time.perf_counter()
    with watch_layers(names, enter, leave):
        run()
    seconds[BETWEEN] = time.perf_counter() - begin - sum(seconds.values())
    return seconds


def time_whole(run: Callable, repeats: int) -> float:
    """Measure the median seconds of `run`, after a first time that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def measure(dmr: DMR, options, batch: int, arguments) -> list[list]:
    """Measure the lines of the table for a batch."""
    predictor = MeshPredictor(dmr, Index_UV_Generator(options.uv_res, uv_type=options.uv_type))
    images = ms.Tensor(
        np.random.default_rng(0).standard_normal((batch, 3, options.img_res, options.img_res), np.float32)
    )

    def run() -> None:
        predictor(images)[1].asnumpy()

    ms.set_context(mode=ms.PYNATIVE_MODE, pynative_synchronize=True)
    names = name_layers(dmr)
    counts = count_by_layer(names, run)
    rounds, rates = [], []
    matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    for _ in range(arguments.repeats):
        rounds.append(time_by_layer(names, run))
        rates.append(measure_matrix_rate(matrix))
    floors = {name: count / median(rates) for name, count in counts.items()}
    seconds = {name: median(one[name] for one in rounds) for name in rounds[0]}
    ms.set_context(pynative_synchronize=False)
    whole = {
        "all, waiting for each layer": sum(seconds.values()),
        "all, pynative mode": time_whole(run, arguments.repeats),
    }
    ms.set_context(mode=ms.GRAPH_MODE)
    whole["all, graph mode"] = time_whole(run, arguments.repeats)
    total = sum(counts.values())
    rows = [[batch, name, *describe(counts[name], spent, floors.get(name, 0))] for name, spent in seconds.items()]
    return rows + [[batch, name, *describe(total, spent, sum(floors.values()))] for name, spent in whole.items()]


def describe(count: int, seconds: float, floor: float) -> list[str]:
    """Format a line: M multiply-adds, floor and time in ms, their ratio."""
    return [f"{count / 1e6:.0f}", f"{1e3 * floor:.1f}", f"{1e3 * seconds:.1f}", f"{floor / seconds:.0%}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data_dir", help="data root with a body model (default: one is generated)")
    add_settings(parser)
    arguments = parser.parse_args()
    prepare_benchmark_root(arguments.data_dir)
    ms.set_device(arguments.device)
    options = make_options(arguments)
    dmr = fold_batch_norm(DMR(get_CNet(options), get_LNet(options)).set_train(False))
    find_kernels().accelerate(dmr, arguments.kernels, weights_stay=True)
    rows = [row for batch in arguments.batch_size for row in measure(dmr, options, batch, arguments)]
    print(f"{describe_machine()}, {' '.join(list_settings(arguments))}")
    print_table(["batch", "layer", "M multiply-adds", "floor ms", "measured ms", "share"], rows)


if __name__ == "__main__":
    run_command(main)
