"""Make many files in several processes, the same bytes for any number of them."""

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import cv2
from tqdm import tqdm

from utils import config
from utils.environment import environment_variables

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_in_processes(
    work: Callable, jobs: Iterable[tuple], workers: int, prepare: Callable, settings: tuple, label: str
):
    """Call work(*job) for every job in `workers` processes, each of which first calls prepare(*settings)."""
    jobs = list(jobs)
    if not jobs:
        return
    start = (str(config.data_root()), prepare, settings)
    # spawned processes with one thread each: the same arithmetic, and so the same bytes, for any number of them
    with (
        environment_variables(dict.fromkeys(_THREAD_VARIABLES, "1")),
        ProcessPoolExecutor(workers, get_context("spawn"), _start_process, start) as pool,
        tqdm(total=len(jobs), desc=label, unit="file") as progress,
    ):
        futures = [pool.submit(work, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                progress.update()
        finally:
            for future in futures:
                future.cancel()


def _start_process(data_root: str, prepare: Callable, settings: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the main process alone
    cv2.setNumThreads(1)
    config.set_data_root(data_root)
    prepare(*settings)
