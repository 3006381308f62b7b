"""Name the kind of a file that was given instead of a checkpoint, by its content, and say what to do with it.

Nothing is unpickled or run. The first bytes, the names in an archive and the names of the weights tell the kind.
"""

import re
import shlex
import tarfile
import zipfile
from pathlib import Path

from utils import config

TORCH_ZIP, TORCH_LEGACY, TORCH_TAR = "a PyTorch file", "a PyTorch file of before 2020", "a PyTorch file of before 2017"
TORCHSCRIPT, TORCH_EXPORT = "a TorchScript archive", "a program of torch.export"
SAFETENSORS, PICKLE = "a file of safetensors", "a pickle"
ONNX, MINDIR = "a network exported as ONNX", "a network exported as MINDIR"
PACKED, ARRAYS, HDF5 = "a packed archive", "an .npz of arrays", "an HDF5 file"
POINTER = "the pointer of Git LFS, not the file that it stands for"
PAGE = "a web page, not the file that was to be downloaded"
CONVERTIBLE = (TORCH_ZIP, TORCH_LEGACY, SAFETENSORS, PICKLE)

# the first bytes of a file -> its kind
STARTS = (
    (rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.", TORCH_LEGACY),
    (rb".{8}\{\s*[\"}]", SAFETENSORS),
    (rb"\x0a.[\d.]+\x12.MindSpore", MINDIR),
    (rb"\x08[\x01-\x14][\x12\x1a\x22\x2a\x3a\x42]", ONNX),
    (rb"\x89HDF", HDF5),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", PACKED),
    (rb"version https://git-lfs", POINTER),
    (rb"\s*<(!doctype|html|\?xml)", PAGE),
    (rb"\x80[\x02-\x05]", PICKLE),
)
TAR_STARTS = (b"pickle\0", b"storages\0", b"tensors\0", b"sys_info\0", b"./\0")
ADVICE = {
    MINDIR: "Give the dmr_*.ckpt that it was exported from.",
    ONNX: "Give the dmr_*.ckpt that it was exported from.",
    PACKED: "Unpack it first.",
    POINTER: "Fetch that with git lfs pull.",
    PAGE: "Download it again.",
    TORCHSCRIPT: "Convert its weights: torch.save(torch.jit.load({path!r}).state_dict(), 'weights.pt').",
    TORCH_EXPORT: "Convert its weights: torch.save(torch.export.load({path!r}).state_dict, 'weights.pt').",
    TORCH_TAR: "Where its origin is trusted, save it anew: "
    "torch.save(torch.load({path!r}, weights_only=False), 'weights.pt').",
}
NAMES_WITHIN = 2**20  # bytes; in pickles and headers, the names of weights come first


def kind_of(path) -> str | None:
    """The kind of the file, in words; None if it is unknown, as of MindSpore checkpoints, which have no mark."""
    with open(path, "rb") as stream:
        start = stream.read(64)
    if start.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if start.startswith(TAR_STARTS) and tarfile.is_tarfile(path):
        return TORCH_TAR
    return next((kind for pattern, kind in STARTS if re.match(pattern, start, re.DOTALL | re.IGNORECASE)), None)


def _kind_of_zip(path) -> str:
    # each name begins with a folder that is called like the file
    names = [name.partition("/")[2] or name for name in _zip_names(path)]
    if "constants.pkl" in names:
        return TORCHSCRIPT
    if "archive_format" in names:
        return TORCH_EXPORT
    if "data.pkl" in names or not names:  # no names: the archive is cut off, and most such files are PyTorch's
        return TORCH_ZIP
    return ARRAYS if any(name.endswith(".npy") for name in names) else PACKED


def _zip_names(path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return []


def refusal(path) -> str | None:
    """The line about a file of another known kind, with what to do; None if the kind is unknown."""
    kind = kind_of(path)
    if kind is None:
        return None
    cure = f"Convert it: {_conversion(Path(path), kind)}." if kind in CONVERTIBLE else advice(path, kind)
    return f"{path} is {kind}, expected a MindSpore checkpoint. {cure}".strip()


def advice(path, kind: str) -> str:
    """What to do with a file of `kind`, as a sentence; empty if there is nothing to say."""
    return ADVICE.get(kind, "").format(path=str(path))


def _conversion(path: Path, kind: str) -> str:
    """The command that converts the file. An ImageNet encoder is written to where training looks for it."""
    names = _names_of_weights(path, kind)
    if b"layer4.2.conv3" in names and b"LNet" not in names and b"dp_layers" not in names:
        return f"{_command('resnet', path, config.RESNET_CKPT)} (training starts from it by itself)"
    stem = path.stem if path.suffix != ".ckpt" else f"{path.stem}_mindspore"
    return _command("decomr", path, path.with_name(f"{stem}.ckpt"))


def _command(model: str, source: Path, target: Path) -> str:
    return f"bash scripts/convert_model.sh {model} {shlex.quote(str(source))} {shlex.quote(str(target))}"


def _names_of_weights(path: Path, kind: str) -> bytes:
    """The bytes of the file that contain the names of weights."""
    try:
        if kind != TORCH_ZIP:
            with open(path, "rb") as stream:
                return stream.read(NAMES_WITHIN)
        with zipfile.ZipFile(path) as archive:
            inner = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(inner) as stream:
                return stream.read(NAMES_WITHIN)
    except (zipfile.BadZipFile, OSError, StopIteration, NotImplementedError, ValueError, EOFError):
        return b""
