"""Reading and writing PyTorch checkpoints, without running what they contain."""

import codecs
import pickle
from pathlib import Path

import numpy as np
import torch

from utils.errors import UserError

# training scripts keep numbers and orders of samples beside the weights; these names rebuild arrays only
_ARRAYS = [
    np.core.multiarray._reconstruct,
    np.core.multiarray.scalar,
    np.ndarray,
    np.dtype,
    codecs.encode,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
]


def read_pytorch(path: Path) -> dict:
    """The dict in a file of torch.save; UserError when it is missing, damaged, or asks for code to be run."""
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist.")
    try:
        with torch.serialization.safe_globals(_ARRAYS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path} is not a PyTorch checkpoint of weights: {_first_line(error)}") from error
    except Exception as error:  # a damaged file can raise any exception type
        raise UserError(f"{path} cannot be read, it may be truncated: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected a dict of weights by name.")
    return content


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def write_pytorch(content: dict, path: Path) -> None:
    torch.save(content, path)


def state_dict(content, where: str) -> dict:
    """Name -> tensor, without the `module.` that a parallel wrapper puts in front; UserError if it is none."""
    if not isinstance(content, dict) or not content:
        raise UserError(f"{where} is not a dict of weights by name.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise UserError(f"{where} is not a dict of weights: {name!r} is a {type(value).__name__}.")
    return {name.removeprefix("module."): value for name, value in content.items()}
