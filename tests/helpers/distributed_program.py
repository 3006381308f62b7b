"""Five training steps of stage `end` with BatchNorm over all ranks, of which this process is one or the only one.

    python tests/helpers/distributed_program.py FOLDER NAME [options of train.py]

Run by tests/models/test_distributed.py. FOLDER/batch.npz holds the whole batch; each rank takes its share. Writes
FOLDER/NAME_{rank}.npz: losses of every step, and how far every parameter moved.
"""

import sys
from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

import mindspore as ms
import numpy as np
from mindspore import communication, nn

from models.dense_cnn import DPNet, get_LNet
from models.distributed import synchronise_batch_norm
from models.DMR import DMR
from models.TrainOneStepEnd import TrainOneStepEnd
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import short_train
from tests.helpers.smooth import smooth_activations
from utils.errors import run_command
from utils.optional_kernels import find_kernels
from utils.train_options import TrainOptions

STEPS = 5
LEARNING_RATE = 2e-6  # of SGD: Adam turns the rounding of a vanishing gradient into whole steps


def settle_warp(cnet: DPNet) -> None:
    """As in parity.py: with a pixel that moves to another cell by rounding the trajectories would part."""
    for end, probability in ((cnet.dp_uv_end, 31 / 63), (cnet.dp_mask_end, 0.7)):
        weight, bias = end[1].weight, end[1].bias
        weight.set_data(0.005 * weight)
        bias.set_data(ms.ops.full_like(bias, np.log(probability / (1 - probability))))


def main():
    folder, name, *arguments = sys.argv[1:]
    short_train.install()
    options = TrainOptions().parse_args(arguments)
    device = setup_device(options)
    with np.load(Path(folder) / "batch.npz") as content:
        share = len(content["img"]) // device.world_size
        own = slice(device.rank * share, (device.rank + 1) * share)
        batch = {column: content[column][own] for column in content}
    dmr = DMR(DPNet(), get_LNet(options))
    smooth_activations(dmr)  # a ReLU that opens by rounding on one side only would part the trajectories
    settle_warp(dmr.CNet)
    synchronise_batch_norm(dmr, device.world_size)
    start = {name: parameter.asnumpy().copy() for name, parameter in dmr.parameters_and_names()}
    loss_cell = WithLossCellEnd(dmr, options)
    step = TrainOneStepEnd(loss_cell, nn.SGD(dmr.trainable_params(), LEARNING_RATE, momentum=0.9))
    find_kernels().accelerate(step, options.kernels)
    step.set_train(True)
    dmr.set_train(True)
    inputs = [ms.Tensor(batch[column]) for column in loss_cell.input_names]
    losses = [[float(value.asnumpy()) for value in step(*inputs)] for _ in range(STEPS)]
    moved = {name: parameter.asnumpy() - start[name] for name, parameter in dmr.parameters_and_names()}
    np.savez(Path(folder) / f"{name}_{device.rank}.npz", losses=losses, **moved)
    if device.world_size > 1:
        communication.release()


if __name__ == "__main__":
    run_command(main)
