"""FILE.sha256 beside FILE, in the format of the command sha256sum. It is written with FILE and compared on reading."""

import contextlib
import hashlib
import os
import re
from pathlib import Path

from utils.errors import UserError
from utils.files import atomic_path, write_text

SUFFIX = ".sha256"


class Damaged(UserError):
    """A file whose content is not the content that was written."""


def sum_file(path) -> Path:
    """Where the checksum of `path` lies."""
    return Path(f"{path}{SUFFIX}")


@contextlib.contextmanager
def checked_path(path):
    """As utils.files.atomic_path, with a checksum beside `path`; both are on the disk at the end.

    The old checksum is removed first and the new one is written last. A crash leaves a whole file, at
    worst without a checksum, but never with a wrong one.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        yield temporary
        digest = file_digest(temporary)
        sum_file(path).unlink(missing_ok=True)
    write_text(sum_file(path), f"{digest}  {path.name}\n")
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Write the names in `folder` to the disk; the fsync of a file does not do that."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path) -> str:
    """SHA-256 of the file's content, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path) -> None:
    """Raise Damaged if the file does not match the checksum beside it; without a checksum, nothing is checked."""
    try:
        words = sum_file(path).read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        return
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise Damaged(f"{sum_file(path)} holds no checksum. If {path} is sound, delete {sum_file(path).name}.")
    found = file_digest(path)
    if found != words[0]:
        raise Damaged(
            f"{path} is damaged: its SHA-256 is {found[:12]}..., expected {words[0][:12]}... (see "
            f"{sum_file(path).name}). Use another checkpoint."
        )


def remove(path) -> None:
    """Delete `path` and its checksum, as far as they exist."""
    for file in (Path(path), sum_file(path)):
        file.unlink(missing_ok=True)


def remove_leftovers(folder) -> None:
    """Delete the unfinished files of a run that was killed while it wrote into `folder`."""
    # MindSpore writes a .tmp first and renames it to .ckpt
    for pattern in (".*.ckpt", ".*.tmp", ".*.sha256", ".*.json"):
        for path in Path(folder).glob(pattern):
            path.unlink()
