"""Runs command lines of the entry scripts in forks of this process, which a test can kill.

A fork need not import MindSpore again, which takes seconds, so a test can afford dozens of kills. This process must
not compute with MindSpore before it forks.
"""

import importlib
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import psutil

from utils import config
from utils.errors import run_command

HEAVY = ("train", "eval")  # scripts that import MindSpore; the others run as new programs
FILE_EVENTS = ("open", "os.rename", "os.remove", "os.chmod", "os.mkdir", "os.utime")  # of sys.addaudithook
POLL = 0.005  # seconds
ORPHAN_PATIENCE = 10.0  # seconds in which children must notice that their parent was killed, and end


@dataclass(frozen=True)
class Command:
    """`python script.py words`, on a data root; its output is appended to the file `log`."""

    script: str
    words: tuple
    data_root: Path
    log: Path
    file_limit: int = resource.RLIM_INFINITY  # bytes that a file it writes may have


@dataclass(frozen=True)
class AtFileEvent:
    """The moment before the `number`-th file operation below `folder`."""

    number: int
    folder: Path


def run(command: Command, after: float | None = None, at: AtFileEvent | None = None) -> int:
    """Run a command, or kill it `after` seconds or `at` a file operation; the exit code, -9 if it was killed."""
    child = os.fork()
    if not child:
        _become(command, at)
    started = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if after is not None and time.monotonic() - started >= after:
            family = psutil.Process(child).children(recursive=True)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            _, orphans = psutil.wait_procs(family, ORPHAN_PATIENCE)
            assert not orphans, f"{len(orphans)} processes outlive {command.script}.py"
            return -signal.SIGKILL
        time.sleep(POLL)


def _become(command: Command, at: AtFileEvent | None) -> None:
    """Do in this process what `python script.py words` does, and exit with its code."""
    stream = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1), os.dup2(stream, 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (command.file_limit, resource.RLIM_INFINITY))
    if command.script not in HEAVY:
        words = [sys.executable, f"{command.script}.py", *map(str, command.words)]
        os.execve(sys.executable, words, os.environ | {"DECOMR_DATA": str(command.data_root)})
    sys.argv = [f"{command.script}.py", *map(str, command.words)]
    config.set_data_root(command.data_root)
    if at is not None:
        sys.addaudithook(_Killer(at))
    code = 1
    try:
        run_command(importlib.import_module(command.script).main)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


class _Killer:
    """An audit hook that kills this process before a file operation."""

    def __init__(self, at: AtFileEvent):
        self.left, self.folder, self.process = at.number, str(at.folder), os.getpid()

    def __call__(self, event: str, arguments: tuple) -> None:
        if event not in FILE_EVENTS or os.getpid() != self.process:
            return
        if any(self.folder in str(argument) for argument in arguments):
            self.left -= 1
            if self.left <= 0:
                os.kill(self.process, signal.SIGKILL)
