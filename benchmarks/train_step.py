"""Measure training step and inference in MindSpore and PyTorch: same weights, batch, losses and number of threads.

    python -m benchmarks.train_step [--batch_size 4 16] [--work dp end infer] [--img_res 224] [--repeats 5]

The PyTorch side is the twin in tests/reference, in eager mode. Each side has a process of its own; they work in turn.
--work ground_truth measures how MindSpore alone computes the true mesh of stage end. Needs requirements-dev.txt.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.data import prepare_benchmark_root
from benchmarks.model_side import BATCH, TORCH_WEIGHTS, WEIGHTS, WORKS, add_settings, list_settings
from benchmarks.side_by_side import Side, measure
from benchmarks.timing import describe_machine, print_table
from utils.errors import run_command


def write_inputs(folder: Path, root: Path, batch_size: int, arguments) -> None:
    """Write random weights and one batch for both sides."""
    import numpy as np
    import torch

    from atlas.reference_map import load_or_build_reference_map
    from tests.helpers import tiny_decomr
    from tests.helpers.parity import named_arrays
    from tests.reference import networks

    torch.manual_seed(0)
    widths = {"width": arguments.lnet_width, "cnet_width": arguments.cnet_width}
    lnet = networks.LNet(load_or_build_reference_map("BF", 64), **widths)
    dmr = networks.DMR(networks.CNet(width=arguments.cnet_width), lnet)
    torch.save(dmr.state_dict(), folder / TORCH_WEIGHTS)
    np.savez(folder / WEIGHTS, **{name: array.astype(np.float32) for name, array in named_arrays(dmr).items()})
    batch = tiny_decomr.random_batch(
        tiny_decomr.Witness(root), batch_size, all_annotated=True, image_size=arguments.img_res
    )
    np.savez(folder / BATCH, **batch)


def measure_row(work: str, batch_size: int, folder: Path, root: Path, arguments) -> list:
    """Measure a line of the table: the work on both sides."""
    words = (work, folder, root, *list_settings(arguments))
    sides = [Side("benchmarks.model_side", "mindspore", *words)]
    if work != "ground_truth":
        # PyTorch may use all instructions of the processor
        sides.append(Side("benchmarks.model_side", "torch", *words, environment={"ONEDNN_MAX_CPU_ISA": "DEFAULT"}))
    measure(sides, arguments.repeats)
    cells = [work, batch_size, *[f"{median(side.seconds):.3f}" for side in sides], *["-"] * (2 - len(sides))]
    ours, theirs = sides[0], sides[-1]
    ratio = f"{median(ours.seconds) / median(theirs.seconds):.2f}"
    memory = f"{ours.peak:.0f} / {theirs.peak:.0f} = {ours.peak / theirs.peak:.2f}"
    return [*cells, ratio, memory, f"{ours.first:.1f} / {theirs.first:.1f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--work", nargs="+", choices=WORKS, default=["dp", "end", "infer"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data_dir", help="data root with a body model (default: one is generated)")
    add_settings(parser)
    arguments = parser.parse_args()
    root = prepare_benchmark_root(arguments.data_dir).resolve()
    rows = []
    for batch_size in arguments.batch_size:
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(Path(folder), root, batch_size, arguments)
            rows += [measure_row(work, batch_size, Path(folder), root, arguments) for work in arguments.work]
    print(f"{describe_machine()}, {' '.join(list_settings(arguments))}, {arguments.repeats} repeats")
    header = ["work", "batch", "MindSpore s", "PyTorch s", "ratio", "peak MiB", "start to end of first round s"]
    print_table(header, rows)


if __name__ == "__main__":
    run_command(main)
