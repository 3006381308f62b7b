"""Read and write PyTorch's files without running code that they contain."""

import argparse
import codecs
import collections
import datetime
import io
import itertools
import pathlib
import pickle
import pickletools
import re
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from utils.checkpoints import foreign_files
from utils.errors import UserError

# Training scripts store options, dates, numbers and sample orders beside the weights. These names rebuild only that.
_HARMLESS: list[Any] = [
    np.core.multiarray._reconstruct,
    np.core.multiarray.scalar,
    (np.core.multiarray._reconstruct, "numpy._core.multiarray._reconstruct"),  # its name in numpy 2
    (np.core.multiarray.scalar, "numpy._core.multiarray.scalar"),
    np.ndarray,
    np.dtype,
    codecs.encode,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
    argparse.Namespace,
    types.SimpleNamespace,
    datetime.datetime,
    pathlib.PosixPath,
]
_PYTORCH = (foreign_files.TORCH_ZIP, foreign_files.TORCH_LEGACY, foreign_files.PICKLE, None)
_EXPORTED = (foreign_files.ONNX, foreign_files.MINDIR)
HEADERS = 3  # pickles before the content in PyTorch's older format


def read_pytorch(path: Path) -> dict:
    """Read the dict in a file of torch.save or safetensors; UserError if it is missing, damaged, or needs code."""
    if not Path(path).is_file():
        raise UserError(f"{path} {'is a folder' if Path(path).is_dir() else 'does not exist'}.")
    kind = foreign_files.kind_of(path)
    if kind not in (*_PYTORCH, foreign_files.SAFETENSORS):
        advice = "" if kind in _EXPORTED else f" {foreign_files.advice(path, kind)}"
        raise UserError(f"{path} is {kind}, expected a PyTorch checkpoint.{advice.rstrip()}")
    content = _read(path, kind)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected a dict of weights by name.")
    return content


def _read(path: Path, kind: str | None):
    try:
        if kind == foreign_files.SAFETENSORS:
            return safetensors.torch.load_file(path)
        # a plain pickle is read from memory: then a false length in it cannot make Python reserve too much
        source = path if kind == foreign_files.TORCH_ZIP else io.BytesIO(Path(path).read_bytes())
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(_refusal(path, kind, str(error))) from error
    except Exception as error:  # a damaged file can raise any exception type
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be read, it may be truncated: {line}") from error


def _refusal(path: Path, kind: str | None, message: str) -> str:
    """Write the line about a file that PyTorch does not read as weights; `message` is PyTorch's."""
    reason = message.partition("WeightsUnpickler error:")[2]
    found = re.search(r"(?:GLOBAL|class|function) '?([A-Za-z_][\w.]+)", reason)
    if kind == foreign_files.PICKLE:
        return f"{path} is not a PyTorch checkpoint of weights, but a pickle of something else."
    if found and _is_object(path):
        what = f"is a whole pickled model ({found[1]}), and to read that is to run its code."
    elif found:
        what = f"holds a {found[1]} beside its weights, which PyTorch does not read without running code."
    elif kind and "operand" in reason:
        what = "is in a pickle protocol that PyTorch does not read without running code."
    else:
        hint = " A MindSpore checkpoint is converted by --reverse." if Path(path).suffix == ".ckpt" else ""
        return f"{path} is not a PyTorch checkpoint of weights.{hint}"
    return f"{path} {what} Where it was made: torch.save(model.state_dict(), 'weights.pt'); convert that file."


def _is_object(path: Path) -> bool:
    """Tell whether the content is an object of a class, not a dict."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                with archive.open(name) as stream:
                    return _starts_with_class(stream)
        with open(path, "rb") as stream:
            for _ in range(HEADERS if foreign_files.kind_of(path) == foreign_files.TORCH_LEGACY else 0):
                collections.deque(pickletools.genops(stream), maxlen=0)
            return _starts_with_class(stream)
    except Exception:  # a damaged file can raise any exception type; then the answer is unknown
        return False


def _starts_with_class(stream) -> bool:
    operations = itertools.islice(pickletools.genops(stream), 8)
    passed = ("PROTO", "FRAME", "MARK")
    name, argument = next((code.name, value) for code, value, _ in operations if code.name not in passed)
    # one operation names a class; in PyTorch's older format the text `module` comes first
    return name in ("GLOBAL", "BINUNICODE") and argument != "collections OrderedDict"


def write_pytorch(content: dict, path: Path) -> None:
    """Write a file of torch.save."""
    torch.save(content, path)
