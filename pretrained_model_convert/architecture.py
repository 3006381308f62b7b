"""Find the architecture of DecoMR's weights from their shapes, the options given, and a config.json near them.

Shapes show everything except the atlas (uv_type) and the size of the crop (img_res). An option or a config.json that
contradicts the shapes is refused, and the message names the option that fits.
"""

import argparse
import json
from pathlib import Path

from atlas.reference_map import warp_resolution
from models.resnet import LAST_LEVEL, STEM_CHANNELS
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.files import write_text
from utils.option_checks import check
from utils.train_options import TrainOptions

FULL_WIDTH = 256  # channels of the LNet of width 1
NAMES = tuple(name for name in checkpoint.ARCHITECTURE if name != "model")
# only DecoMR's config.json has these
MARKS = ("uv_res", "uv_type", "uv_channels", "warp_level")


def read_from_shapes(shapes: dict, where) -> dict:
    """Read options by name from the shapes of the weights by PyTorch's names (`CNet.dp_layers.0.1...`)."""

    def shape(name: str) -> tuple:
        if name not in shapes:
            raise UserError(f"{where} is not a DecoMR of the published layout: it has no {name}.")
        return shapes[name]

    def count(prefix: str) -> int:
        return len({name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)})

    warp_level = LAST_LEVEL - count("CNet.dp_layers.")
    width = shape("LNet.fc_head.3.bias")[0] / FULL_WIDTH
    channels = shape("LNet.uv_end.0.conv1.weight")[1] / width
    shape("CNet.dp_uv_end.0.norm1.weight")
    return {
        "warp_level": warp_level,
        "uv_res": warp_resolution(max(0, warp_level - count("LNet.decoder."))),  # each step doubles the map
        "uv_channels": int(channels) if channels.is_integer() else channels,
        "norm_type": "BN" if "CNet.dp_uv_end.0.norm1.running_mean" in shapes else "GN",
        "cnet_width": shape("CNet.resnet.conv1.weight")[0] / STEM_CHANNELS,
        "lnet_width": width,
    }


def find_config(folders: list[Path]) -> Path | None:
    """Find the config.json of a DecoMR in the first of `folders` that has one; files of other programs do not count."""
    paths = [folder / checkpoint.CONFIG_NAME for folder in folders]
    return next((path for path in paths if path.is_file() and any(name in _read_json(path) for name in MARKS)), None)


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path} cannot be read: {error}. Mend it, or move it away and give the architecture by options."
        ) from error
    return content if isinstance(content, dict) else {}


def read_from_config(path: Path, given: set) -> dict:
    """Read options by name from a config.json, except those `given` on the command line."""
    content = {name: value for name, value in _read_json(path).items() if name in NAMES and value is not None}
    stated = {name: value for name, value in content.items() if name not in given}
    try:
        parser = TrainOptions().parser
        values = parser.parse_args([f"--{name}={value}" for name, value in stated.items()])
    except UserError as error:
        raise UserError(f"{path}: {error}. Say it by the option of that name.") from error
    return {name: getattr(values, name) for name in stated}


def settle(options: argparse.Namespace, given: set, shapes: dict, where, config: Path | None) -> None:
    """Set the architecture in `options`, and print where it comes from.

    given: names of the options on the command line; they have priority over `config`, if there is one.
    Raises:
        UserError: an option or `config` contradicts the shapes.
    """
    seen, stated = read_from_shapes(shapes, where), read_from_config(config, given) if config else {}
    for name in NAMES:
        if name in stated:
            setattr(options, name, stated[name])
        value = getattr(options, name)
        source = f"--{name} is {value}" if name in given else f"{config} says {name} {value}" if name in stated else ""
        if source and name in seen and value != seen[name]:
            raise UserError(f"{source}, but the weights in {where} have {seen[name]}: give --{name} {seen[name]}.")
        setattr(options, name, seen.get(name, value))
    check(options)
    origin = f"the weights and {config}" if stated else "the weights"
    print(f"architecture, from {origin}: {', '.join(f'{name} {value}' for name, value in seen.items())}")
    unseen = [name for name in ("uv_type", "img_res") if name not in given | stated.keys()]
    if unseen:
        taken = ", ".join(f"{name} {getattr(options, name)}" for name in unseen)
        words = " and ".join(f"--{name} ..." for name in unseen)
        print(f"weights do not show everything: taken as {taken}; give {words} if it is another")


def refuse_other_config(options: argparse.Namespace, target: Path) -> bool:
    """Tell whether a config.json beside `target` says the same already; UserError if it says something else."""
    path = target.parent / checkpoint.CONFIG_NAME
    if not path.is_file():
        return False
    cure = f"Choose another folder for {target.name}, or move {checkpoint.CONFIG_NAME} away."
    there = TrainOptions().parse_args([])
    try:
        checkpoint.adopt_architecture(there, target, given=set())
    except UserError as error:
        raise UserError(f"{error} {cure}") from error
    for name in NAMES:
        old, new = getattr(there, name), getattr(options, name)
        if old != new:
            raise UserError(f"{path} is of another network, with {name} {old}; these weights have {new}. {cure}")
    return True


def write_config(options: argparse.Namespace, target: Path) -> None:
    """Write the architecture beside the checkpoint `target`, for demo.py, eval.py and export.py."""
    content = {name: getattr(options, name) for name in checkpoint.ARCHITECTURE}
    path = target.parent / checkpoint.CONFIG_NAME
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
    print(f"written: {path}")
