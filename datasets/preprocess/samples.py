"""Run one function over many samples: in several processes, in order, past broken samples.

Preprocessing meets thousands of files that others made. One that cannot be read must not stop the
rest: it is reported by name and counted. The result does not depend on the number of processes.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
from tqdm import tqdm

from utils.camera import BOX_UNIT
from utils.errors import CannotWrite, UserError

BOX_MARGIN = 1.2  # the crop's side over the larger side of the bounding box, protocol of UP-3D and SURREAL
KINDS = ("incomplete", "skipped", "broken")  # of samples that the user is told of
CHUNK = 4  # samples handed to a process at a time
CHUNKS_PER_WORKER = 8  # handed out ahead, so that no process waits for the slowest


class Samples(Protocol):
    """What is worked through: a sequence, or what makes its members when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class SkipSample(Exception):
    """The sample is intact but cannot be used; the message says why."""


@dataclass(frozen=True)
class Incomplete:
    """What a job made of a sample of which a part is missing, and the reason."""

    value: object
    reason: str


@dataclass
class Summary:
    """What became of the samples of one step; incomplete, skipped and broken map sample name -> reason."""

    label: str
    done: int = 0
    kept: int = 0
    incomplete: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.done} made", f"{self.kept} kept from before"]
        for kind in KINDS:
            parts += [f"{len(getattr(self, kind))} {kind}"] if getattr(self, kind) else []
        return f"{self.label}: {', '.join(parts)}"


@dataclass(frozen=True)
class _Outcome:
    value: object = None
    kind: str = ""  # of KINDS
    reason: str = ""


class _Guarded:
    """Picklable wrapper of a job that turns what goes wrong with a sample into an _Outcome."""

    def __init__(self, job: Callable):
        self.job = job

    def __call__(self, sample) -> _Outcome:
        try:
            value = self.job(sample)
        except SkipSample as reason:
            return _Outcome(kind="skipped", reason=str(reason))
        except CannotWrite:
            raise
        except UserError as error:
            return _Outcome(kind="broken", reason=str(error))
        except Exception as error:  # a damaged file can raise any type; it must cost this sample only
            return _Outcome(kind="broken", reason=f"{type(error).__name__}: {error}")
        return _Outcome(value.value, "incomplete", value.reason) if isinstance(value, Incomplete) else _Outcome(value)


def default_workers() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_samples(job: Callable, samples: Samples, names: Sequence[str], summary: Summary, workers: int) -> Iterator:
    """Yield (position, job(sample)) of the samples that succeed, in order, and keep count in `summary`.

    `job` is called as job(sample) and must be picklable; it is sent once to each process. It may return
    an Incomplete, whose value is yielded. Problems are printed above the progress bar with the sample's name.
    """
    with tqdm(total=len(samples), desc=summary.label, unit="sample", disable=not samples) as progress:
        for position, outcome in enumerate(_outcomes(_Guarded(job), samples, workers)):
            if outcome.kind:
                tqdm.write(f"{outcome.kind} {names[position]}: {outcome.reason}", file=sys.stderr)
                getattr(summary, outcome.kind)[names[position]] = outcome.reason
            if outcome.kind in ("", "incomplete"):
                summary.done += 1
                yield position, outcome.value
            progress.update()


def _outcomes(guarded: _Guarded, samples: Samples, workers: int) -> Iterator[_Outcome]:
    if workers <= 1 or len(samples) <= CHUNK:
        for position in range(len(samples)):
            yield guarded(samples[position])
        return
    executor = ProcessPoolExecutor(
        min(workers, len(samples)), multiprocessing.get_context("spawn"), _start_process, (guarded,)
    )
    # a bounded number of chunks is under way, so memory does not grow with the number of samples
    under_way: deque[Future] = deque()
    try:
        for start in range(0, len(samples), CHUNK):
            chunk = [samples[position] for position in range(start, min(start + CHUNK, len(samples)))]
            with _deaf_children():
                under_way.append(executor.submit(_run_in_process, chunk))
            if len(under_way) > CHUNKS_PER_WORKER * workers:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
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


_process_job: _Guarded | None = None


def _start_process(guarded: _Guarded) -> None:
    global _process_job
    _process_job = guarded
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes: they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is a worker"
    parent.join()
    os._exit(1)


def _run_in_process(chunk: list) -> list[_Outcome]:
    assert _process_job is not None, "the pool starts every process with _start_process"
    return [_process_job(sample) for sample in chunk]


def centre_and_scale(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [2] px and scale (in units of 200 px) of the crop around a box."""
    scale = BOX_MARGIN * float((high - low).max()) / BOX_UNIT
    if not scale > 0:
        raise UserError("the body does not reach into the image.")
    return (low + high) / 2, scale
