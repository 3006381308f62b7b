"""Write trained weights to pass on: matrices and kernels in half precision, and the config.json that belongs to them.

    python -m pretrained_model_convert.share ckpt/rank0/dmr_30.ckpt FOLDER

FOLDER gets a file of the same name, its checksum, and a config.json with the architecture, with what the weights were
trained on, and without the paths of this machine. `--checkpoint FOLDER` takes it in demo.py, eval.py, export.py and
train.py, which compute in float32 with the rounded weights.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import utils.environment  # noqa: F401  isort: skip  before MindSpore

from mindspore import Parameter

from utils.checkpoints import checkpoint
from utils.errors import UserError, run_command
from utils.files import make_folder, write_text
from utils.option_files import TRAINED_ON, WRITTEN_BY

SHARED = (*checkpoint.ARCHITECTURE, TRAINED_ON, WRITTEN_BY)  # entries of config.json
LARGEST = float(np.finfo(np.float16).max)


def share(weights: Path, folder: Path) -> Path:
    """Write `weights` and their config.json into `folder` for others; returns the file of the weights.

    UserError if the weights or the config.json beside them cannot be read.
    """
    content = _read_config(weights.with_name(checkpoint.CONFIG_NAME))
    values = checkpoint.read_weights(weights)
    rounded = {name: Parameter(_rounded(value.asnumpy()), name=name) for name, value in values.items()}
    target = make_folder(folder) / weights.name
    if target.exists() and target.samefile(weights):
        raise UserError(f"{target} is the file to pass on itself; name another folder.")
    checkpoint.write_parameters(rounded, target)
    shared = {name: content[name] for name in SHARED if name in content}
    write_text(target.with_name(checkpoint.CONFIG_NAME), json.dumps(shared, indent=2, sort_keys=True) + "\n")
    return target


def _read_config(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}, which says what network the weights belong to, cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected an object of options.")
    return content


def _rounded(values: np.ndarray) -> np.ndarray:
    """Matrices and kernels as float16; scales, biases, statistics and what overflows as they are."""
    is_small = values.dtype == np.float32 and values.ndim > 1 and np.abs(values).max(initial=0) <= LARGEST
    return values.astype(np.float16) if is_small else values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="a dmr_*.ckpt, or a folder, whose highest epoch counts")
    parser.add_argument("folder", help="where to write")
    arguments = parser.parse_args()
    weights = checkpoint.find_weights(arguments.weights, checkpoint.DMR_PREFIX)
    target = share(weights, Path(arguments.folder))
    print(f"written: {target}, {target.stat().st_size / 2**20:.1f} MiB (before: {weights.stat().st_size / 2**20:.1f})")


if __name__ == "__main__":
    run_command(main)
