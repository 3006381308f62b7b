"""Two programs measured in turn (A B A B ...), each in a process of its own.

In one process the two libraries' threads, allocators and caches would disturb each other. A process
that is not at work is stopped: its threads may otherwise go on looking for work.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.memory import REPOSITORY, peak_of_this_process
from utils.environment import SETTINGS
from utils.errors import UserError


def serve(work: Callable) -> None:
    """In the child: run `work` for every line of input; answer its seconds and the process's peak memory in MiB."""
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": peak_of_this_process()}), flush=True)


class Side:
    """One of the programs: `python -m` words; its process lives as long as the `with` block.

    environment: variables of its own, in place of those that this project sets for MindSpore.
    """

    def __init__(self, *words, environment: dict[str, str] | None = None):
        self.words = [sys.executable, "-m", *map(str, words)]
        inherited = {name: value for name, value in os.environ.items() if environment is None or name not in SETTINGS}
        # a copy: importing MindSpore sets OMP_NUM_THREADS=1 below Python; a child that inherited it had one thread
        self.environment = inherited | (environment or {})
        self.seconds: list[float] = []
        self.peak = 0.0  # MiB
        self.first = 0.0  # seconds from the start of the process to the end of its first round

    def __enter__(self):
        self.start = time.perf_counter()
        self.process = subprocess.Popen(
            self.words, cwd=REPOSITORY, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *failure):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()

    def run(self) -> dict:
        """One round of the work: its answer. Lines that libraries print are passed over."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                answer = json.loads(line)
                self.peak = answer["peak"]
                self.process.send_signal(signal.SIGSTOP)
                return answer
        raise UserError(f"{' '.join(self.words[1:])} ended without an answer; its message stands above.")

    def warm_up(self) -> None:
        self.run()
        self.first = time.perf_counter() - self.start


def measure(sides: list[Side], repeats: int) -> None:
    """Run the sides in turn, `repeats` times after one unmeasured round each; the figures stay in the sides."""
    with contextlib.ExitStack() as processes:
        for side in sides:
            processes.enter_context(side).warm_up()
        for _ in range(repeats):
            for side in sides:
                side.seconds.append(side.run()["seconds"])
