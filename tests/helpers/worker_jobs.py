"""Jobs for worker processes: importable without pytest, MindSpore and the fixtures, which each process would load."""

import os
import signal
import time

from utils import config
from utils.errors import UserError
from utils.workers import THREAD_VARIABLES


def double_slowly(number: int) -> int:
    time.sleep(0.05 * (number % 3))
    return 2 * number


def describe_process(_) -> tuple:
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return os.getpid(), str(config.data_root()), blocked, [os.environ.get(name) for name in THREAD_VARIABLES]


def refuse_three(number: int) -> int:
    if number == 3:
        raise UserError("three is refused.")
    return number


def die(_) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_with_a_sign(path: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(str(os.getpid()))
    time.sleep(600)
