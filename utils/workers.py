"""One function over many items in several processes, with the results in the order of the items."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import cv2

from utils import config
from utils.environment import environment_variables
from utils.errors import UserError

ITEMS_PER_WORKER = 32  # handed out ahead, so that no process waits for the slowest
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def default_workers() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_in_processes(job: Callable, items: Iterable, workers: int, one_thread: bool = False) -> Iterator:
    """Yield job(item) for every item, in their order; what it raises is raised here.

    job: picklable; each process gets it once. items: taken a few ahead of the results, so memory does not grow with
    their number. one_thread: numpy computes with one thread in each process, so that the results have the same bytes
    on any machine. UserError if a process is killed. Processes end with this one, even if it is killed.
    """
    start = (job, str(config.data_root()))
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_process, start)
    variables = dict.fromkeys(THREAD_VARIABLES, "1") if one_thread else {}
    under_way: deque[Future] = deque()
    try:
        for item in items:
            with environment_variables(variables), _deaf_children():
                under_way.append(executor.submit(_run_in_process, item))
            if len(under_way) > ITEMS_PER_WORKER * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process died, perhaps for lack of memory. Run the same command again with fewer --workers; "
            "finished work is kept."
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _deaf_children():
    """Processes started in this block ignore Ctrl-C; here it is put off to the block's end.

    Half-started processes would be left behind, and Ctrl-C is for the parent, which ends the others.
    """
    interrupts = []
    previous = signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a blocked signal stays blocked in children
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, previous)
    if interrupts:
        raise KeyboardInterrupt


_process_job: Callable | None = None


def _start_process(job: Callable, data_root: str) -> None:
    global _process_job
    _process_job = job
    config.set_data_root(data_root)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended: a parent that is killed cannot do it."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a worker"
    parent.join()
    os._exit(1)


def _run_in_process(item):
    assert _process_job is not None, "the pool starts every process with _start_process"
    return _process_job(item)
