"""Export a trained network: normalised image in; vertices, camera and IUV image out, in one file.

    python export.py --checkpoint ckpt/rank0/dmr_30.ckpt --file_format ONNX --batch_size 1

The file is opened again and compared with the network on test images; one that disagrees is not kept.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

import numpy as np
from mindspore import Tensor

from atlas.prepare import write_missing_tables
from datasets.open_dataset import open_dataset
from exporting.agreement import compare
from exporting.formats import FORMATS
from exporting.network import ExportedNetwork
from models.inference import MeshPredictor, find_checkpoint, load_trained
from models.uv_generator import Index_UV_Generator
from utils.checkpoints import checkpoint
from utils.errors import UserError, run_command
from utils.files import atomic_path, plain_path
from utils.train_options import (
    CHECKPOINT_HELP,
    DATA_DIR_HELP,
    EVAL_DIR_HELP,
    OTHER_BODY_HELP,
    TARGET_HELP,
    TARGETS,
    CommandParser,
    TrainOptions,
)

CROPS = 4  # compared, at least


def make_parser() -> CommandParser:
    parser = CommandParser(description="Export a trained network.")
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    parser.add_argument("--eval_dir", default="./ckpt/rank0", help=EVAL_DIR_HELP)
    parser.add_argument("--other_body", action="store_true", help=OTHER_BODY_HELP)
    parser.add_argument("--file_format", default="MINDIR", choices=list(FORMATS), help="format of the file")
    parser.add_argument("--batch_size", type=int, default=1, help="images that the file takes at a time")
    parser.add_argument("--out", help="the file; default: beside the checkpoint, with the batch size in its name")
    parser.add_argument("--dataset", default="up-3d", help="data set with whose test images the file is compared")
    parser.add_argument("--data_dir", help=DATA_DIR_HELP)
    parser.add_argument("--device_target", default="auto", choices=TARGETS, help=TARGET_HELP)
    parser.add_argument("--device_id", type=int, default=0, help="number of the GPU or NPU")
    return parser


def parse_options():
    given = vars(make_parser().parse_args())
    if given["batch_size"] < 1:
        raise UserError(f"--batch_size is {given['batch_size']}, expected at least 1.")
    options = TrainOptions().parse_args(["--data_dir", given["data_dir"]] if given["data_dir"] else [])
    vars(options).update(given)
    return options


def test_crops(options) -> np.ndarray:
    """Test images [N, 3, S, S], as the network takes them; N is a multiple of the batch size, at least CROPS."""
    dataset = open_dataset(options, "test")
    count = -(-CROPS // options.batch_size) * options.batch_size
    return np.stack([dataset.item(index % len(dataset), columns=("img",))["img"] for index in range(count)])


def main():
    options = parse_options()
    print(setup_device(options))
    path = find_checkpoint(options)
    ending, write, reopen = FORMATS[options.file_format]
    target = Path(options.out or path.with_name(f"{path.stem}_b{options.batch_size}{ending}"))
    if target.suffix != ending:
        raise UserError(f"--out {target}: a file of format {options.file_format} ends with {ending}.")
    checkpoint.adopt_architecture(options, path, given=set())
    write_missing_tables(options)
    crops = test_crops(options)
    dmr = load_trained(options, path)
    network = ExportedNetwork(MeshPredictor(dmr, Index_UV_Generator(options.uv_res, uv_type=options.uv_type)))

    def run_network(image: np.ndarray) -> tuple:
        return tuple(output.asnumpy() for output in network(Tensor(image)))

    shape = (options.batch_size, *crops.shape[1:])
    with atomic_path(target) as temporary, plain_path(temporary) as file:  # it becomes `target` only when it agrees
        write(network, shape, file)
        agreement = compare(run_network, reopen(file), crops, options.batch_size, dmr.LNet.warp_res)
    print(agreement)
    print(
        f"written: {target}, {target.stat().st_size / 2**20:.1f} MiB; image {list(shape)} in; vertices, camera, iuv out"
    )


if __name__ == "__main__":
    run_command(main)
