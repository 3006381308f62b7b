"""Write files so that a reader never meets half of one; read them with one clear line where that fails.

A file is written under a temporary name in the target folder, flushed to the disk and then
renamed. An interrupted run leaves either the old file or the new one.
"""

import contextlib
import io
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from utils.array_files.arrays import map_members, read_members, refuse_objects
from utils.errors import DISK_FAULTS, CannotWrite, UserError

PLAIN_PATH = re.compile(r"[0-9a-zA-Z@_.:/-]+")  # MindSpore takes these names; OpenCV and ONNX Runtime take all of UTF-8
NAME_BYTES = 200  # of one part of a path; file systems allow 255, and temporary names are longer


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; when the block succeeds it becomes `path`.

    The temporary name keeps the suffix of `path`, because many writers choose the format by it.
    CannotWrite where the disk does not take the file; an older file then stays as it was.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = _temporary_file(path)
    try:
        yield Path(temporary)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in DISK_FAULTS:
            raise CannotWrite.because(path, error) from error
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@contextlib.contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Yield `path`; if its name is not plain, yield another path, and copy the file to `path` at the end.

    For writers that fail, or end the whole process, at a name that is not UTF-8 or not ASCII.
    """
    if PLAIN_PATH.fullmatch(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"file{path.suffix}"
        yield plain
        shutil.copyfile(plain, path)


def make_folder(folder) -> Path:
    """Make `folder` unless it exists; CannotWrite when nothing can be written there."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, "Permission denied")
    return folder


def check_target(path) -> Path:
    """Make the folder of a file that will be written later; CannotWrite now if that could not be done."""
    path = Path(path)
    make_folder(path.parent)
    if path.is_dir():
        raise CannotWrite(f"cannot write the file {path}: it is a folder. Choose another name.")
    return path


def _temporary_file(path: Path) -> str:
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    os.close(handle)
    return temporary


def _unwritable(folder: Path, reason) -> CannotWrite:
    text = reason.strerror if isinstance(reason, OSError) else reason
    return CannotWrite(f"cannot write to the folder {folder}: {text}. Choose another folder or mend this one.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path, text: str) -> None:
    """Write `text` as UTF-8; bytes of other encodings in names are written as \\udc.. words."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_text_if_changed(path: Path, text: str) -> None:
    """Write a UTF-8 text file unless it holds this text already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def write_bytes(path, content: bytes) -> None:
    """Write `content` as it is."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_png(path, image: np.ndarray) -> None:
    """Write an image [H, W] or [H, W, 3], uint8; three channels are in the order of cv2 (BGR)."""
    # not cv2.imwrite, which reports success when a full disk took half of a small picture
    encoded, content = cv2.imencode(".png", image)
    if not encoded:
        raise ValueError(f"{path}: no PNG can be made of an array of shape {image.shape}, {image.dtype}")
    write_bytes(path, content.tobytes())


def write_jpeg(path, image: np.ndarray) -> None:
    """Write an image [H, W, 3] uint8, BGR, with the quality that cv2 has by default, 95."""
    encoded, content = cv2.imencode(".jpg", image)
    if not encoded:
        raise ValueError(f"{path}: no JPEG can be made of an array of shape {image.shape}, {image.dtype}")
    write_bytes(path, content.tobytes())


def write_npy(path, array: np.ndarray) -> None:
    """Write an array [...] of numbers as .npy."""
    # not np.save to the file itself: its error on a full disk does not tell the reason
    stream = io.BytesIO()
    np.save(stream, array)
    write_bytes(path, stream.getvalue())


@dataclass(frozen=True)
class Blocks:
    """An array [N, ...] that write_npz takes in parts [n, ...], for those that are larger than memory."""

    shape: tuple[int, ...]
    dtype: np.dtype
    parts: Iterable[np.ndarray]

    def write(self, stream) -> None:
        """Write the array in the format of .npy."""
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(stream, header)
        rows = 0
        for part in self.parts:
            stream.write(np.ascontiguousarray(part, self.dtype).tobytes())
            rows += len(part)
        if rows != self.shape[0]:
            raise ValueError(f"{rows} rows were given for an array of shape {self.shape}")


def write_npz(path, **arrays) -> None:
    """Write what np.savez writes. On a full disk np.savez leaves the archive open, which prints errors later."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(array, Blocks):
                    array.write(member)
                else:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_npz(path, advice: str, read_objects=refuse_objects, objects=None) -> dict[str, np.ndarray]:
    """Read the arrays [...] of an .npz, by name. UserError, ending with `advice`, if it is damaged or holds objects.

    read_objects, objects: what reads arrays of objects, and under which names; see utils.array_files.arrays.
    """
    return _read(path, advice, lambda stream: read_members(stream, read_objects, objects))


def map_npz(path, advice: str, read_objects=refuse_objects, names=None) -> dict[str, np.ndarray]:
    """Map the arrays [...] of an .npz, by name; errors as read_npz. See utils.array_files.arrays.map_members."""
    return _read(path, advice, lambda stream: map_members(stream, read_objects, names))


def _read(path, advice: str, read):
    try:
        with open(path, "rb") as stream:
            return read(stream)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. {advice}") from None
    except Exception as error:  # a damaged file can raise any exception type
        raise UserError(f"{path} cannot be read: {error}. {advice}") from error


def read_lines(path, hint: str) -> list[str]:
    """Read the lines of a text file that are not blank; UserError if it is missing or is no text.

    Bytes that are not UTF-8 are decoded as Python decodes them in names of files, so that they name the same files.
    """
    try:
        content = require_file(path, hint).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. {hint}") from error
    if b"\0" in content:
        raise UserError(f"{path} cannot be read as text in UTF-8: it holds zero bytes. {hint}")
    text = content.decode("utf-8-sig", "surrogateescape")
    return [line for line in text.splitlines() if line.strip()]


def inside(folder, name: str, where) -> Path:
    """folder / name, for a `name` that comes from the file `where`; UserError if it leads out of the folder."""
    parts = PurePosixPath(name).parts
    # bytes of other encodings count as letters
    letters = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    is_plain = parts and letters.isprintable() and "\\" not in name and not PurePosixPath(name).is_absolute()
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in parts), default=0)
    if not is_plain or ".." in parts or longest > NAME_BYTES:
        raise UserError(f"{where} names {name[:80]!r}, expected the name of a file below {folder}.")
    return Path(folder) / name


def require_file(path, hint: str) -> Path:
    """Return `path` if it is a file, otherwise raise UserError naming it and saying `hint`."""
    path = Path(path)
    if not os.path.isfile(path):  # Path.is_file raises for names that are too long
        raise UserError(f"{path} does not exist. {hint}")
    return path
