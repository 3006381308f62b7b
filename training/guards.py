"""What refuses a run, and what ends one before its last epoch.

- `check_options`: options that cannot work together on this device.
- `StopRequests`: a signal, or the end of the time that was granted. The current step is finished and the state
  saved, so that `--resume` can go on from there.
- `BadSamples`: too many samples that cannot be read.
- `BadSteps`: too many steps with a loss or a gradient that is not finite.

All ranks of a run end after the same step.
"""

import hashlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from models.training_step import Status, Update
from training.ranks import Ranks
from utils.errors import UserError, warn

SIGNAL_EXIT = 128  # a shell reports a process that a signal ended with this plus the signal's number
# requests of a rank, besides the numbers of signals
OUT_OF_TIME = 1000  # more than any signal
NEWS = 1  # not an end: this rank has bad samples to report to the others; less than the signals taken here
MAX_BAD_SHARE = 0.01  # of the samples


def check_options(options, target: str) -> None:
    """UserError for options that cannot work, alone or on the device `target`; a warning for one without effect."""
    if options.batch_size == 1 and options.stage != "dp":
        raise UserError(
            "--batch_size 1: the LNet has BatchNorm over the samples of a batch, whose statistics one sample turns "
            "into NaN. Use at least 2, or --stage dp."
        )
    if options.amp_level != "O0" and target == "CPU":
        raise UserError(
            f"--amp_level {options.amp_level} needs a GPU or NPU; the CPU computes in float32: --amp_level O0."
        )
    if options.resume and options.fresh:
        raise UserError("--resume continues the training in --ckpt_dir, --fresh starts another; give one of them.")
    if options.compile_cache:
        warn("--compile_cache has no effect any more: every start compiles its training steps. Leave it out.")


class Stopped(Exception):
    """The run was stopped, and its state is saved. `exit_code` is that of the program."""

    def __init__(self, reason: str, exit_code: int):
        super().__init__(reason)
        self.reason, self.exit_code = reason, exit_code


class StopRequests:
    """Inside `with`, SIGTERM and SIGINT become requests to stop; a second signal ends the process as usual.

    A request on one rank stops all ranks, after the same step.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, ranks: Ranks, time_to_run: float | None = None):
        self.ranks, self.time_to_run = ranks, time_to_run
        self.started = time.monotonic()  # time.time() can go backwards
        self.signal = 0

    def __enter__(self):
        self.previous = {number: signal.signal(number, self._take) for number in self.SIGNALS}
        return self

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _take(self, number, _frame) -> None:
        self.signal = number
        signal.signal(number, self.previous[number])

    def request(self) -> int:
        """What this rank asks of all ranks; 0: nothing. The next step takes it along: the Status has the largest."""
        is_over = self.time_to_run is not None and time.monotonic() - self.started > self.time_to_run
        return self.signal or (OUT_OF_TIME if is_over else 0)

    def pending(self, agreed: int) -> Stopped | None:
        """The exception to raise once the state is saved, the same on all ranks; None: go on.

        agreed: the largest request that any rank had before the step that has just ended. A process without other
        ranks does not wait for the next step.
        """
        request = agreed if self.ranks.size > 1 else self.request()
        if request == OUT_OF_TIME:
            return Stopped(f"--time_to_run: stopped after {self.time_to_run:g} s", 0)
        if request > NEWS:
            return Stopped(f"{signal.Signals(request).name}: stopped", SIGNAL_EXIT + request)
        return None


def say_on_every_rank(line: str) -> None:
    """Print a line for the user; unlike the log, on every rank, because each rank reads other samples."""
    tqdm.write(line, file=sys.stderr)


class BadSamples:
    """Counts the samples of a data set that could not be read and were replaced (datasets.replacement).

    total: the number of samples. Each rank finds other bad samples. All ranks call `settle` after the same step, and
    then know what each of them has found.
    """

    def __init__(self, total: int, ranks: Ranks, say=say_on_every_rank):
        self.total, self.ranks, self.say = total, ranks, say
        self.known: set[int] = set()  # to all ranks; a number stands for a problem, see _number
        self.news: dict[int, str] = {}  # number -> problem that this rank alone knows

    def check(self, replaced: np.ndarray) -> None:
        """Read the column REPLACED [B] of a batch and name the new problems; without other ranks `settle` them too."""
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
        """Exchange what the ranks have found; UserError on all of them for more than MAX_BAD_SHARE of the samples."""
        last = next(reversed(self.news.values()), "named by another rank")
        self.known |= set(self.ranks.gather_all(list(self.news)))
        self.news.clear()
        if len(self.known) > MAX_BAD_SHARE * self.total:
            raise UserError(
                f"{len(self.known)} of {self.total} samples cannot be read, more than {MAX_BAD_SHARE:.0%}, "
                f"the last: {last}"
            )


def _number(problem: str) -> int:
    """A number below 2**40 for the text of a problem, the same on every rank."""
    return int.from_bytes(hashlib.sha256(os.fsencode(problem)).digest()[:5], "big")


class BadSteps:
    """Counts the updates that were left out because a loss or a gradient was not finite.

    limit: how many in a row end the run.
    """

    def __init__(self, ranks: Ranks, limit: int, say):
        self.ranks, self.limit, self.say = ranks, limit, say
        self.left_out = self.in_row = 0
        self.loss_scaling = False

    def start(self, update: Update) -> None:
        """Begin a stage; `update`: the cell of its training step that counts the updates left out."""
        self.left_out = int(update.skipped.asnumpy())
        self.loss_scaling = update.loss_scaling
        self.in_row = 0

    def check(self, status: Status, losses: Callable[[], dict], where: str) -> None:
        """Look at the status of a step; UserError once `limit` updates in a row were left out.

        losses: called for a bad step only; gives name -> value, with `total`. where: names the step for the user.
        As long as a dynamic loss scale can be halved, an overflow is part of the search for the scale and does not
        count.
        """
        if status.left_out == self.left_out:
            self.in_row = 0
            return
        self.left_out = status.left_out
        cause = self._cause(losses())
        searching = self.loss_scaling and status.loss_scale > 1
        self.in_row = 0 if searching else self.in_row + 1
        lowered = f", loss scale lowered to {status.loss_scale:g}" if self.loss_scaling else ""
        self.say(f"{where}: update left out, {cause}{lowered} ({status.left_out} left out so far)")
        if self.in_row >= self.limit:
            raise UserError(
                f"{where}: {self.in_row} updates in a row were left out, {cause}. The weights stay as they were. "
                "Lower --lr, set --clip_grad, or look for bad samples in the data; --max_bad_steps sets the limit."
            )

    def _cause(self, losses: dict) -> str:
        """The first loss that is not finite, on the first rank that has one."""
        names = [name for name in losses if name != "total"]
        bad = next((index for index, name in enumerate(names) if not math.isfinite(losses[name])), len(names))
        by_rank = self.ranks.gather(bad)
        rank = min(range(len(by_rank)), key=lambda index: by_rank[index])
        if by_rank[rank] == len(names):
            return "the losses are finite but a gradient is not"
        place = f" on rank {rank}" if len(by_rank) > 1 else ""
        return f"loss {names[by_rank[rank]]} is not finite{place}"
