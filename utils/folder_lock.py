"""One run per folder: a lock that the operating system releases when its process ends, however it ends."""

import fcntl
import os
import socket
from pathlib import Path

from utils.errors import UserError
from utils.files import make_folder

NAME = ".lock"


class FolderLock:
    """A lock on a folder, held from `acquire` until the end of the process. Forked children do not hold it."""

    def __init__(self, folder):
        self.path = Path(folder) / NAME

    def acquire(self) -> bool:
        """Take the lock; True if this process holds it now."""
        make_folder(self.path.parent)
        self.stream = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 open as long as the lock is held
        try:
            # a lock of the process (POSIX), not of the file handle, which loader workers inherit
            fcntl.lockf(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        self.stream.truncate(0)
        self.stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self.stream.flush()
        return True

    def release(self) -> None:
        """Release the lock."""
        self.stream.close()

    def refusal(self) -> UserError:
        """The error for the user if `acquire` failed; it names the holder."""
        holder = self.path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
        return UserError(
            f"{self.path.parent} is in use: {holder} trains there. Choose another --ckpt_dir, or end that run first."
        )
