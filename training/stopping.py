"""When a run ends before its last epoch: a signal, or the end of the time granted.

Either way the step under way is finished, the state saved, and `--resume` goes on from there.
"""

import signal
import time

from training.ranks import Ranks

SIGNAL_EXIT = 128  # a shell's exit code for a process ended by a signal is this plus its number
OUT_OF_TIME = 1000  # above every signal number
NEWS = 1  # no end: the ranks have something to tell each other, see training.bad_samples; below the signals taken here


class Stopped(Exception):
    """The run was stopped; its state is saved."""

    def __init__(self, reason: str, exit_code: int):
        super().__init__(reason)
        self.reason, self.exit_code = reason, exit_code


class StopRequests:
    """As a context it takes SIGTERM and SIGINT as requests; a second signal ends the process as usual.

    Ranks agree: a request on one of them stops all, after the same step.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, ranks: Ranks, time_to_run: float | None = None):
        self.ranks, self.time_to_run = ranks, time_to_run
        self.started = time.monotonic()  # time.time() may go backwards
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
        """What this rank asks of all, 0: nothing. Each step carries it along, and its Status says the largest."""
        is_over = self.time_to_run is not None and time.monotonic() - self.started > self.time_to_run
        return self.signal or (OUT_OF_TIME if is_over else 0)

    def pending(self, agreed: int) -> Stopped | None:
        """What to raise once the state is saved, the same on all ranks; None to go on.

        agreed: the largest request that the ranks had before the step that is done. One rank alone need not wait for
        the next step.
        """
        request = agreed if self.ranks.size > 1 else self.request()
        if request == OUT_OF_TIME:
            return Stopped(f"--time_to_run: stopped after {self.time_to_run:g} s", 0)
        if request > NEWS:
            return Stopped(f"{signal.Signals(request).name}: stopped", SIGNAL_EXIT + request)
        return None
