"""Bound what a library may take that trusts the sizes which a file states."""

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator

PAGE = resource.getpagesize()


class OverLimit(Exception):
    """The work took more than it may."""


class _TooLong(BaseException):
    """Ends a loop of the library; no Exception, so that no handler of the library takes it."""


@contextlib.contextmanager
def limited(memory: int, seconds: float) -> Iterator[None]:
    """Run a block with `memory` bytes more than the process has, and `seconds` of its processor time.

    OverLimit if it takes more. Python can interrupt its main thread only, so other threads have no limit of time.
    """
    with limited_memory(memory), _limited_time(seconds):
        try:
            yield
        except MemoryError as error:
            raise OverLimit(f"takes more than {memory >> 20} MiB of memory") from error
        except _TooLong as error:
            raise OverLimit(f"takes more than {seconds:g} s") from error


@contextlib.contextmanager
def limited_memory(memory: int) -> Iterator[None]:
    """Run a block with `memory` bytes more than the process has; MemoryError, or what a library makes of it, beyond."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        size = int(stream.read().split()[0]) * PAGE
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([size + memory, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(_signal, _frame) -> None:
    raise _TooLong
