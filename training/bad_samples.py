"""Names and counts the samples that could not be read, and ends the run when they are too many."""

import sys

import numpy as np
from tqdm import tqdm

from utils.errors import UserError

MAX_SHARE = 0.01  # of the samples


def say(line: str) -> None:
    """On every rank: each meets other samples."""
    tqdm.write(line, file=sys.stderr)


class BadSamples:
    """Of a data set of `total` samples, those that were replaced so far (datasets.replacement)."""

    def __init__(self, total: int, say=say):
        self.total, self.say = total, say
        self.known: set[str] = set()

    def check(self, replaced: np.ndarray) -> None:
        """Look at the column REPLACED [B] of a batch; UserError when more than MAX_SHARE of all samples are bad."""
        problems = dict.fromkeys(line for text in replaced.tolist() for line in text.splitlines())
        for problem in problems:
            if problem in self.known:
                continue
            self.known.add(problem)
            if len(self.known) > MAX_SHARE * self.total:
                raise UserError(
                    f"{len(self.known)} of {self.total} samples cannot be read, more than {MAX_SHARE:.0%}, "
                    f"the last: {problem}"
                )
            self.say(f"replaced by another sample ({len(self.known)} of {self.total} so far): {problem}")
