"""Calls a reader on hostile input and raises where it does more than read: see `Guard`."""

import contextlib
import os
import resource
import sys
import time
from pathlib import Path

from utils.array_files.limits import OverLimit
from utils.errors import UserError

MEMORY = 1 << 30  # bytes that a reader may take on top of what the process has
SECONDS = 5.0  # of one call
PAGE = resource.getpagesize()
CODE_EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn")
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink", "shutil.rmtree")
WRITE_FLAGS = 0b11  # O_WRONLY | O_RDWR


class Violation(AssertionError):
    """A reader did what no input may make it do."""


class Guard:
    """Watches the calls of readers by an audit hook, which Python never removes: one Guard for a process.

    Under it a reader gives a result or a UserError. It starts no process, changes no file outside `folder`, takes
    no more than MEMORY, and ends within SECONDS.
    """

    def __init__(self):
        self.folder, self.found = None, []
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple) -> None:
        if self.folder is None:
            return
        if event in CODE_EVENTS:
            self.found.append(f"{event} {arguments}")
        elif event in CHANGES:
            self._check_places(event, arguments[:2])
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITE_FLAGS:
            self._check_places(event, arguments[:1])

    def _check_places(self, event: str, places: tuple) -> None:
        paths = [os.fsdecode(place) for place in places if isinstance(place, (str, bytes, Path))]
        outside = [path for path in paths if self.folder not in Path(path).resolve().parents and path != os.devnull]
        if outside:
            self.found.append(f"{event} {outside}")

    def __call__(self, folder: Path, read, *arguments):
        """What read(*arguments) gives; UserError as it comes, Violation for anything else."""
        with _limited_memory():
            self.folder, self.found, started = folder.resolve(), [], time.monotonic()
            try:
                return read(*arguments)
            except UserError as error:
                if any(isinstance(cause, MemoryError) for cause in _causes(error)):
                    raise Violation(f"a file made it ask for more than {MEMORY >> 20} MiB: {error}") from error
                raise
            except Exception as error:
                raise Violation(f"{type(error).__name__} in place of a UserError: {error}") from error
            finally:
                self.folder, found, seconds = None, self.found, time.monotonic() - started
                if found:
                    raise Violation(f"it did more than read: {found[:3]}")
                if seconds > SECONDS:
                    raise Violation(f"it took {seconds:.1f} s")


def _causes(error: BaseException):
    while error is not None and not isinstance(error, OverLimit):  # of less than MEMORY, which the reader chose
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def _limited_memory():
    with open("/proc/self/statm", encoding="ascii") as stream:
        size = int(stream.read().split()[0]) * PAGE
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


GUARD = Guard()
