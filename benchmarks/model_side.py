"""One side of benchmarks.train_step, in a process of its own: python -m benchmarks.model_side --help."""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.peers import (
    BATCH,
    LEARNING_RATE,
    ONNX_FILE,
    PEERS,
    PYTORCH,
    WEIGHTS,
    make_runtime_work,
    make_torch_work,
)
from benchmarks.side_by_side import serve
from utils import config
from utils.train_options import KERNELS, TrainOptions

WORKS = ("dp", "end", "infer", "ground_truth")


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--img_res", type=int, default=224)
    parser.add_argument("--cnet_width", type=float, default=1.0)
    parser.add_argument("--lnet_width", type=float, default=1.0)
    parser.add_argument("--device", choices=["CPU", "GPU"], default="CPU")
    parser.add_argument("--mode", choices=["graph", "pynative"], default="graph")
    parser.add_argument("--kernels", choices=KERNELS, default="auto")
    parser.add_argument("--amp_level", choices=["O0", "O2", "O3"], default="O0")


def list_settings(arguments) -> list[str]:
    """List the settings as command-line words, which `add_settings` reads."""
    names = ("img_res", "cnet_width", "lnet_width", "device", "mode", "kernels", "amp_level")
    return [word for name in names for word in (f"--{name}", str(getattr(arguments, name)))]


def make_options(arguments):
    names = ("img_res", "cnet_width", "lnet_width")
    return TrainOptions().parse_args([word for name in names for word in (f"--{name}", str(getattr(arguments, name)))])


def load_network(arguments, options):
    """Make the whole network with the weights in the folder."""
    import mindspore as ms

    from models.dense_cnn import get_CNet, get_LNet
    from models.DMR import DMR

    dmr = DMR(get_CNet(options), get_LNet(options))
    with np.load(Path(arguments.folder) / WEIGHTS) as file:
        for name, parameter in dmr.parameters_and_names():
            parameter.set_data(ms.Tensor(file[name]))
    return dmr


def make_mindspore_work(arguments):
    """Make a function that does one round of the work with this project's networks."""
    import mindspore as ms

    import utils.environment  # noqa: F401  before MindSpore
    from models.adam import Adam
    from models.batch_norm_folding import fold_batch_norm
    from models.ground_truth import GroundTruth
    from models.inference import MeshPredictor
    from models.TrainOneStepDP import TrainOneStepDP
    from models.TrainOneStepEnd import TrainOneStepEnd
    from models.uv_generator import Index_UV_Generator
    from models.WithLossCellDP import WithLossCellDP
    from models.WithLossCellEnd import WithLossCellEnd
    from utils.device import MODES
    from utils.optional_kernels import find_kernels

    ms.set_device(arguments.device)
    ms.set_context(mode=MODES[arguments.mode])
    kernels = find_kernels()
    kernels.choose(arguments.kernels)
    options = make_options(arguments)
    with np.load(Path(arguments.folder) / BATCH) as file:
        batch = {name: ms.Tensor(file[name]) for name in file.files}
    if arguments.work == "ground_truth":
        cell = GroundTruth(options.uv_res, options.uv_type)
        genders = ms.Tensor(np.full(len(batch["pose"]), 2, np.int32))
        return lambda: [value.asnumpy() for value in cell(batch["pose"], batch["betas"], genders)]
    dmr = load_network(arguments, options)
    if arguments.work == "infer":
        predictor = MeshPredictor(fold_batch_norm(dmr), Index_UV_Generator(options.uv_res))
        kernels.accelerate(predictor, arguments.kernels, weights_stay=True)
        return lambda: predictor(batch["img"])[1].asnumpy()
    network, loss_cell, step_cell = {
        "dp": (dmr.CNet, WithLossCellDP, TrainOneStepDP),
        "end": (dmr, WithLossCellEnd, TrainOneStepEnd),
    }[arguments.work]
    cell = loss_cell(network, options)
    step = step_cell(cell, Adam(network.trainable_params(), LEARNING_RATE))
    kernels.accelerate(step, arguments.kernels)
    step.set_train(True)
    inputs = [batch[name] for name in cell.input_names]
    return lambda: [value.asnumpy() for value in step(*inputs)]


def write_onnx_file(arguments) -> None:
    """Write the network for the batch as an ONNX file, as export.py does."""
    import utils.environment  # noqa: F401  before MindSpore
    from exporting.formats import write_onnx
    from exporting.network import ExportedNetwork
    from models.inference import MeshPredictor
    from models.uv_generator import Index_UV_Generator

    options = make_options(arguments)
    network = ExportedNetwork(MeshPredictor(load_network(arguments, options), Index_UV_Generator(options.uv_res)))
    with np.load(Path(arguments.folder) / BATCH) as file:
        write_onnx(network, file["img"].shape, Path(arguments.folder) / ONNX_FILE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=["mindspore", *PEERS, "write_onnx"])
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("folder", help="with the batch and the weights")
    parser.add_argument("data_dir")
    add_settings(parser)
    arguments = parser.parse_args()
    config.set_data_root(arguments.data_dir)
    if arguments.side == "write_onnx":
        write_onnx_file(arguments)
    elif arguments.side == "mindspore":
        serve(make_mindspore_work(arguments))
    elif arguments.side in PYTORCH:
        serve(make_torch_work(arguments, make_options(arguments)))
    else:
        serve(make_runtime_work(arguments))


if __name__ == "__main__":
    main()
