"""Run one function over many samples, in order, and go on after broken samples.

A sample whose files cannot be read does not stop the others: it is reported by name and counted. The result does not
depend on the number of processes.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from utils.camera import BOX_UNIT
from utils.errors import CannotWrite, UserError
from utils.workers import run_in_processes

BOX_MARGIN = 1.2  # the crop's side over the larger side of the bounding box, protocol of UP-3D and SURREAL
KINDS = ("incomplete", "skipped", "broken")  # kinds of problems, which are reported
FEW = 4  # up to so many samples are done in this process, faster than others can start


class Samples(Protocol):
    """A sequence of samples, or an object that makes each sample on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class SkipSample(Exception):
    """The sample is intact but cannot be used; the message says why."""


@dataclass(frozen=True)
class Incomplete:
    """The result for a sample of which a part is missing, and the reason."""

    value: object
    reason: str


@dataclass
class Summary:
    """The numbers of samples made and kept in one step; incomplete, skipped and broken map sample name -> reason."""

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
    kind: str = ""  # one of KINDS, '' without a problem
    reason: str = ""


class _Guarded:
    """Picklable wrapper of a job that turns errors of a sample into an _Outcome."""

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
        except Exception as error:  # a damaged file can raise any type
            return _Outcome(kind="broken", reason=f"{type(error).__name__}: {error}")
        return _Outcome(value.value, "incomplete", value.reason) if isinstance(value, Incomplete) else _Outcome(value)


def run_samples(job: Callable, samples: Samples, names: Samples, summary: Summary, workers: int) -> Iterator:
    """Yield (position, job(sample)) of the samples that succeed, in order, and count them in `summary`.

    job: picklable; each process gets it once. It may return an Incomplete, whose value is yielded. Problems are printed
    above the progress bar with the sample's name.
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


def centre_and_scale(low: np.ndarray, high: np.ndarray, margin: float = BOX_MARGIN) -> tuple[np.ndarray, float]:
    """Centre [2] px and scale (in units of 200 px) of the crop around a box: `margin` times its larger side."""
    scale = margin * float((high - low).max()) / BOX_UNIT
    if not scale > 0:
        raise UserError("the body does not reach into the image.")
    return (low + high) / 2, scale
