"""Run one function over many samples: in several processes, in order, past broken samples.

Preprocessing meets thousands of files that others made. One that cannot be read must not stop the
rest: it is reported by name and counted. The result does not depend on the number of processes.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from utils.camera import BOX_UNIT
from utils.errors import CannotWrite, UserError
from utils.workers import run_in_processes

BOX_MARGIN = 1.2  # the crop's side over the larger side of the bounding box, protocol of UP-3D and SURREAL
KINDS = ("incomplete", "skipped", "broken")  # of samples that the user is told of
FEW = 4  # samples that take less time than starting processes does


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


def run_samples(job: Callable, samples: Samples, names: Sequence[str], summary: Summary, workers: int) -> Iterator:
    """Yield (position, job(sample)) of the samples that succeed, in order, and keep count in `summary`.

    `job` is called as job(sample) and must be picklable; it is sent once to each process. It may return
    an Incomplete, whose value is yielded. Problems are printed above the progress bar with the sample's name.
    """
    guarded, rows = _Guarded(job), (samples[position] for position in range(len(samples)))
    few = workers <= 1 or len(samples) <= FEW
    outcomes = map(guarded, rows) if few else run_in_processes(guarded, rows, workers)
    with tqdm(total=len(samples), desc=summary.label, unit="sample", disable=not samples) as progress:
        for position, outcome in enumerate(outcomes):
            if outcome.kind:
                tqdm.write(f"{outcome.kind} {names[position]}: {outcome.reason}", file=sys.stderr)
                getattr(summary, outcome.kind)[names[position]] = outcome.reason
            if outcome.kind in ("", "incomplete"):
                summary.done += 1
                yield position, outcome.value
            progress.update()


def centre_and_scale(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre [2] px and scale (in units of 200 px) of the crop around a box."""
    scale = BOX_MARGIN * float((high - low).max()) / BOX_UNIT
    if not scale > 0:
        raise UserError("the body does not reach into the image.")
    return (low + high) / 2, scale
