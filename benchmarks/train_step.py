"""Training step and inference, MindSpore beside PyTorch: same weights, batch, losses and number of threads.

    python -m benchmarks.train_step [--batch_size 4 16] [--work dp end infer] [--img_res 224] [--repeats 5]

The PyTorch side is the twin of tests/reference in eager mode. Needs requirements-dev.txt.
"""

import utils.environment  # noqa: F401, I001  before MindSpore

import argparse

import mindspore as ms
import torch

from benchmarks.data import benchmark_root
from benchmarks.timing import alternate, machine, medians, print_table
from models.adam import Adam
from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from models.predictor import MeshPredictor
from models.TrainOneStepDP import TrainOneStepDP
from models.TrainOneStepEnd import TrainOneStepEnd
from models.uv_generator import Index_UV_Generator
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests import tiny_decomr
from tests.parity import copy_weights
from tests.reference import losses, networks
from utils import config
from utils.atlas_maps import load_or_build_reference_map
from utils.errors import run_command
from utils.train_options import TrainOptions

WORKS = ("dp", "end", "infer")
LEARNING_RATE = 1e-6  # the weights hardly move, so that every repetition does the same work


class Pair:
    """CNet and LNet twice with the same weights, and one batch for both sides."""

    def __init__(self, arguments, batch_size: int):
        self.options = TrainOptions().parse_args(
            ["--img_res", str(arguments.img_res), "--lnet_width", str(arguments.lnet_width)]
        )
        self.witness = tiny_decomr.Witness(config.data_root())
        self.batch = tiny_decomr.random_batch(
            self.witness, batch_size, all_annotated=True, image_size=arguments.img_res
        )
        reference = load_or_build_reference_map("BF", 64)
        torch.manual_seed(0)
        self.torch_dmr = networks.DMR(networks.CNet(), networks.LNet(reference, width=arguments.lnet_width))
        self.dmr = DMR(DPNet(), get_LNet(self.options))
        copy_weights(self.torch_dmr, self.dmr)

    def works(self, name: str) -> dict:
        """The two sides of one row of the table, by name of the library."""
        return getattr(self, f"_{name}")()

    def _training(self, cell, step_cell, network, torch_network, torch_losses) -> dict:
        step = step_cell(cell, Adam(network.trainable_params(), LEARNING_RATE))
        step.set_train(True)
        network.set_train(True)
        inputs = [ms.Tensor(self.batch[name]) for name in cell.input_names]
        torch_network.train()
        adam = torch.optim.Adam(torch_network.parameters(), lr=LEARNING_RATE)
        batch = {name: torch.tensor(value) for name, value in self.batch.items()}

        def torch_step():
            adam.zero_grad()
            sum(torch_losses(torch_network(batch["img"]), batch).values()).backward()
            adam.step()

        return {"MindSpore": lambda: [value.asnumpy() for value in step(*inputs)], "PyTorch": torch_step}

    def _dp(self) -> dict:
        cell = WithLossCellDP(self.dmr.CNet, self.options)
        return self._training(
            cell, TrainOneStepDP, self.dmr.CNet, self.torch_dmr.CNet,
            lambda outputs, batch: losses.dp_losses(outputs[0], batch, self.options),
        )  # fmt: skip

    def _end(self) -> dict:
        fixed = (self.witness.body, self.witness.sampler, self.witness.uv_weight, self.options)
        cell = WithLossCellEnd(self.dmr, self.options)
        return self._training(
            cell, TrainOneStepEnd, self.dmr, self.torch_dmr,
            lambda outputs, batch: losses.end_losses(outputs, batch, *fixed),
        )  # fmt: skip

    def _infer(self) -> dict:
        predictor = MeshPredictor(self.dmr, Index_UV_Generator(self.options.uv_res))
        image, torch_image = ms.Tensor(self.batch["img"]), torch.tensor(self.batch["img"])
        self.torch_dmr.eval()

        def torch_infer():
            with torch.inference_mode():
                self.witness.sampler.resample(self.torch_dmr(torch_image)[1])

        return {"MindSpore": lambda: predictor(image)[1].asnumpy(), "PyTorch": torch_infer}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--work", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--img_res", type=int, default=224)
    parser.add_argument("--lnet_width", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mode", choices=["graph", "pynative"], default="graph")
    parser.add_argument("--data_dir", help="data root with a body model (default: one is generated)")
    arguments = parser.parse_args()
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE if arguments.mode == "graph" else ms.PYNATIVE_MODE)
    benchmark_root(arguments.data_dir)
    rows = []
    for work in arguments.work:
        for batch_size in arguments.batch_size:
            seconds = medians(alternate(Pair(arguments, batch_size).works(work), arguments.repeats))
            ours, theirs = seconds["MindSpore"], seconds["PyTorch"]
            rows.append([work, batch_size, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"])
    print(f"{machine()}, {arguments.img_res} px, {arguments.mode} mode, torch {torch.__version__}, "
          f"{torch.get_num_threads()} threads, mindspore {ms.__version__}, {arguments.repeats} repeats")  # fmt: skip
    print_table(["work", "batch", "MindSpore s", "PyTorch s", "ratio"], rows)


if __name__ == "__main__":
    run_command(main)
