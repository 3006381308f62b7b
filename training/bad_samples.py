"""Names and counts the samples that could not be read, and ends the run when they are too many."""

import hashlib
import os
import sys

import numpy as np
from tqdm import tqdm

from training.ranks import Ranks
from utils.errors import UserError

MAX_SHARE = 0.01  # of the samples


def say(line: str) -> None:
    """On every rank: each meets other samples."""
    tqdm.write(line, file=sys.stderr)


class BadSamples:
    """Of a data set of `total` samples, those that were replaced so far (datasets.replacement), on all ranks together.

    Ranks meet different samples. What one has met becomes known to all in `settle`, which they call at the same step.
    """

    def __init__(self, total: int, ranks: Ranks, say=say):
        self.total, self.ranks, self.say = total, ranks, say
        self.known: set[int] = set()  # by all ranks; a problem is known by a number made from its text
        self.news: dict[int, str] = {}  # what this rank alone has met

    def check(self, replaced: np.ndarray) -> None:
        """Look at the column REPLACED [B] of a batch; a process alone settles at once what it finds."""
        problems = dict.fromkeys(line for text in replaced.tolist() for line in text.splitlines())
        for problem in problems:
            number = _number(problem)
            if number in self.known or number in self.news:
                continue
            self.news[number] = problem
            count = len(self.known) + len(self.news)
            if self.ranks.size == 1:
                self.settle()
            self.say(f"replaced by another sample ({count} of {self.total} so far): {problem}")

    def settle(self) -> None:
        """Put together what the ranks have met; UserError on all when that is more than MAX_SHARE of all samples."""
        last = next(reversed(self.news.values()), "named by another rank")
        self.known |= set(self.ranks.gather_all(list(self.news)))
        self.news.clear()
        if len(self.known) > MAX_SHARE * self.total:
            raise UserError(
                f"{len(self.known)} of {self.total} samples cannot be read, more than {MAX_SHARE:.0%}, the last: {last}"
            )


def _number(problem: str) -> int:
    """The same on every rank, below 2**40."""
    return int.from_bytes(hashlib.sha256(os.fsencode(problem)).digest()[:5], "big")
