"""Weights on disk: CNet_{epoch}.ckpt and dmr_{epoch}.ckpt, each with a checksum beside it.

Names in a file are relative to the network (`resnet.conv1.weight`, `CNet.dp_layers.0.1...`), however
deep the network lies in a loss cell. Files are written whole or not at all.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from utils import config
from utils.checkpoints import checksums
from utils.errors import UserError
from utils.files import write_text
from utils.memory import available_memory
from utils.option_files import TRAINED_ON, WRITTEN_BY, words_of
from utils.train_options import TrainOptions
from utils.version import VERSION

ARCHITECTURE = ("model", "img_res", "uv_res", "uv_type", "uv_channels", "warp_level", "norm_type", "cnet_width",
                "lnet_width", "no_warp")  # fmt: skip
CONFIG_NAME = "config.json"
HOW_TO_START = ("resume", "fresh")  # options that a run with --from_json must not take over
ROOM = 2  # times the size of a file: other processes may take some of the memory before it is read
CNET_PREFIX, DMR_PREFIX = "CNet", "dmr"  # {prefix}_{epoch}.ckpt
STATE_RECORD = "record.json"  # the entry by which a saved state differs from weights


def named_parameters(network: nn.Cell) -> dict:
    """The parameters and statistics of `network`, by their name relative to it."""
    return dict(network.parameters_and_names())


def save_weights(network: nn.Cell, path) -> None:
    """Write the parameters of `network`."""
    write_parameters(named_parameters(network), path)


def write_parameters(parameters: dict, path, texts: dict | None = None, check: Callable | None = None) -> None:
    """Write parameters (name -> Parameter) and texts (name -> str) with a checksum beside `path`.

    check: is called with the written file before the file gets its name; if it raises, no file is left.
    """
    entries = [{"name": name, "data": parameter} for name, parameter in parameters.items()]
    with checksums.checked_path(path) as temporary:
        try:
            ms.save_checkpoint(entries, str(temporary), append_dict=texts)
        except BaseException:
            temporary.with_suffix(".tmp").unlink(missing_ok=True)  # MindSpore writes this file first
            raise
        if check:
            check(temporary)


def read_checkpoint(path) -> dict:
    """Read a MindSpore checkpoint: name -> array. UserError if it is missing, damaged or a file of another kind."""
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder, expected a checkpoint.")
    if not Path(path).is_file():
        raise UserError(f"checkpoint {path} does not exist.")
    checksums.verify(path)
    _refuse_foreign(path)
    _make_room(Path(path).stat().st_size)
    try:
        return ms.load_checkpoint(str(path))
    except Exception as error:  # a damaged file can raise any exception type
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise checksums.Damaged(f"{path} is not a readable MindSpore checkpoint: {first_line}") from error


def _refuse_foreign(path) -> None:
    """UserError, with what to do, for a file of a known other kind; MindSpore would read all of it before it fails."""
    from utils.checkpoints import foreign_files  # here, because a run that starts from random weights does not need it

    refusal = foreign_files.refusal(path)
    if refusal:
        raise UserError(refusal)


def _make_room(size: int) -> None:
    """Let MindSpore see that a file of `size` bytes fits into memory.

    MindSpore 2.10 refuses a checkpoint that is larger than the free memory, and does not count memory
    that caches files as free; after the data was read, that is most of it. To ask for memory and give
    it back turns cache into free memory.
    """
    wanted = ROOM * size
    if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") < wanted < available_memory():
        np.ones(wanted, np.uint8)


def load_weights(network: nn.Cell, path) -> None:
    """Fill every parameter of `network` from a checkpoint that holds exactly these names and shapes."""
    assign(named_parameters(network), read_checkpoint(path), path)


def load_dmr(dmr: nn.Cell, path) -> None:
    """Fill CNet and LNet from a dmr checkpoint; UserError, with what to do, for a checkpoint of another network."""
    values = _read_networks(path)
    if "resnet.conv1.weight" in values:
        raise UserError(
            f"{path} holds the CNet alone, a dmr_*.ckpt of stage end is needed here. "
            "Stage end starts from it with --pretrained_checkpoint."
        )
    assign(named_parameters(dmr), values, path)


def load_cnet(cnet: nn.Cell, path) -> None:
    """Fill the CNet from a CNet checkpoint, or from the CNet part of a dmr checkpoint."""
    values = _read_networks(path)
    part = {name.removeprefix("CNet."): value for name, value in values.items() if name.startswith("CNet.")}
    assign(named_parameters(cnet), part or values, path)


def _read_networks(path) -> dict:
    """As read_weights, for a file that must hold the CNet."""
    values = read_weights(path)
    if "conv1.weight" in values and "layer1.0.conv1.weight" in values:
        raise UserError(
            f"{path} holds a ResNet-50 alone. Put it at {config.RESNET_CKPT}; training starts from it by itself."
        )
    return values


def read_weights(path) -> dict:
    """Read a checkpoint of weights: name -> array. UserError as read_checkpoint, and for a saved state."""
    values = read_checkpoint(path)
    if STATE_RECORD in values:
        raise UserError(
            f"{path} is a saved state, from which train.py --resume goes on; the weights are in "
            f"{CNET_PREFIX}_*.ckpt and {DMR_PREFIX}_*.ckpt beside it."
        )
    return values


def assign(parameters: dict, values: dict, path) -> None:
    """Set `parameters` (name -> Parameter) from `values`; UserError unless all names and shapes match."""
    missing = [name for name in parameters if name not in values]
    if missing:
        raise UserError(
            f"{path} does not fit the network: {len(missing)} of {len(parameters)} parameters are missing, "
            f"first {missing[0]}."
        )
    for name, parameter in parameters.items():
        if not isinstance(values[name], Tensor):
            raise UserError(f"{path} does not fit the network: {name} is a {type(values[name]).__name__}.")
        if tuple(values[name].shape) != tuple(parameter.shape):
            raise UserError(
                f"{path} does not fit the network: {name} has shape {tuple(values[name].shape)}, expected "
                f"{tuple(parameter.shape)}. Was it trained with another --cnet_width, --lnet_width, --uv_channels, "
                "--uv_res, --warp_level or --norm_type?"
            )
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(values[name].asnumpy(), parameter.dtype))


def load_encoder(resnet: nn.Cell) -> str:
    """Fill the encoder from the ImageNet weights below the data root, if there are any; returns the line to print."""
    for path in (config.RESNET_CKPT, config.RESNET_CKPT_ALTERNATIVE):
        if path.is_file() and resnet.width != 1:
            return f"encoder starts from random weights: those in {path} are of full width (--cnet_width 1)"
        if path.is_file():
            load_weights(resnet, path)
            return f"encoder starts from the ImageNet weights {path}"
    return f"encoder starts from random weights: there is no {config.RESNET_CKPT}"


def newest(folder, prefix: str) -> Path | None:
    """The file {prefix}_{epoch}.ckpt of the highest epoch in `folder`; of two files of one epoch, the younger.

    Dates alone do not tell: files may be copied or unpacked, and a clock may be set back.
    """
    files = [path for path in Path(folder).glob(f"{prefix}_*.ckpt") if re.fullmatch(rf"{prefix}_\d+", path.stem)]
    return max(files, key=lambda path: (_epoch(path), path.stat().st_mtime_ns), default=None)


def _epoch(path: Path) -> int:
    return int(path.stem.rsplit("_", 1)[1])


def find_weights(word, *prefixes: str) -> Path:
    """The file `word`; if it is a folder, the newest {prefix}_{epoch}.ckpt in it or in its rank0.

    prefixes: the first one that has a file counts.
    """
    path = Path(word)
    if not path.is_dir():
        return path
    folders = (path, path / "rank0")
    found = next(filter(None, (newest(folder, prefix) for folder in folders for prefix in prefixes)), None)
    if found is None:
        names = sorted(file.name for file in path.glob("*.ckpt") if not file.name.startswith("."))
        expected = " or ".join(f"{prefix}_*.ckpt" for prefix in prefixes)
        others = f": it holds {', '.join(names[:4])}{', ...' if names[4:] else ''}" if names else ""
        raise UserError(f"there is no {expected} in {path}. Train first, or name one with --checkpoint{others}.")
    return found


def save_config(options, folder, trained_on: dict | None = None) -> None:
    """Write the options beside the checkpoints, for eval.py and for --from_json.

    trained_on: the result of atlas.trained_on.identify for the data root; atlas.trained_on.check reads it.
    """
    content = {name: value for name, value in vars(options).items() if name not in HOW_TO_START}
    content[WRITTEN_BY] = VERSION
    if trained_on:
        content[TRAINED_ON] = trained_on
    write_text(Path(folder) / CONFIG_NAME, json.dumps(content, indent=2, sort_keys=True) + "\n")


def adopt_architecture(options, checkpoint, given: set) -> None:
    """Take the architecture that `checkpoint` was trained with from the config.json beside it.

    given: names of the options on the command line; UserError if one of them contradicts.
    """
    path = Path(checkpoint).parent / CONFIG_NAME
    if not path.is_file():
        return
    try:
        trained = json.loads(path.read_text(encoding="utf-8"))
        trained = {name: trained[name] for name in ARCHITECTURE if name in trained}
        parser = TrainOptions()
        known = parser.parse_args(words_of(parser.parser, trained))
        trained = {name: getattr(known, name) for name in trained}
    except (OSError, ValueError, TypeError, RecursionError, UserError) as error:
        raise UserError(f"{path} cannot be read: {str(error).rstrip('.')}.") from error
    for name, value in trained.items():
        if name in given and getattr(options, name) != value:
            raise UserError(
                f"--{name} {getattr(options, name)}, but {checkpoint} was trained with {value} (see {path})."
            )
        setattr(options, name, value)
