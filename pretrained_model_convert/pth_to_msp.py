"""Convert weights between PyTorch and MindSpore.

    python pretrained_model_convert/pth_to_msp.py --model resnet --pth_file r50.pth --msp_file data/ms_resnet50.ckpt
    python pretrained_model_convert/pth_to_msp.py --model decomr --pth_file decomr.pt --msp_file dmr_30.ckpt [--reverse]

resnet: torchvision's ResNet-50, the start of the encoder. vgg: the convolutions of torchvision's VGG-16.
decomr: CNet and LNet of the public PyTorch release; writes config.json, with the architecture, beside --msp_file.
--reverse writes --pth_file from --msp_file.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

# the script lies one folder below the packages it imports
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import utils.interpreter  # noqa: E402, F401  isort: skip  a Python that cannot run this program ends here

from utils.checkpoints import checkpoint  # noqa: E402
from utils.errors import UserError, run_command  # noqa: E402
from utils.train_options import TrainOptions  # noqa: E402


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of what to convert."""
    parser = argparse.ArgumentParser(description="Convert weights between PyTorch and MindSpore.")
    parser.add_argument(
        "--model",
        required=True,
        choices=["resnet", "vgg", "decomr"],
        help="resnet: torchvision's ResNet-50; vgg: its VGG-16; decomr: CNet and LNet of the PyTorch release",
    )
    parser.add_argument("--pth_file", required=True, help="PyTorch checkpoint")
    parser.add_argument("--msp_file", required=True, help="MindSpore checkpoint, *.ckpt")
    parser.add_argument("--reverse", action="store_true", help="write --pth_file from --msp_file")
    architecture = " ".join(f"--{name}" for name in checkpoint.ARCHITECTURE)
    parser.epilog = (
        f"For the model decomr also the options of train.py that shape the networks: {architecture}. "
        "What is not given is taken from config.json beside the weights or one folder up, and from the weights."
    )
    return parser


def parse_arguments() -> tuple[argparse.Namespace, argparse.Namespace, set]:
    """Parse (what to convert, architecture of the model `decomr`, names of its options on the command line)."""
    arguments, others = make_parser().parse_known_args()
    options, given = TrainOptions().parse_args(others), TrainOptions().given(others)
    unknown = given - set(checkpoint.ARCHITECTURE)
    if unknown:
        raise UserError(f"--{sorted(unknown)[0]} has no meaning here (see --help)")
    return arguments, options, given


def main():
    arguments, options, given = parse_arguments()
    if importlib.util.find_spec("torch") is None:
        raise UserError("the conversion needs PyTorch: pip install -r requirements-dev.txt")
    # not at the top of the file: it imports torch
    from pretrained_model_convert import conversion

    convert = conversion.convert_to_pytorch if arguments.reverse else conversion.convert_to_mindspore
    convert(arguments.model, Path(arguments.pth_file), Path(arguments.msp_file), options, given)


if __name__ == "__main__":
    run_command(main)
