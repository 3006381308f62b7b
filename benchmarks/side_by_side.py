"""Measure two programs in turn (A B A B ...), each in a process of its own.

In one process the threads, allocators and caches of the two libraries would disturb each other. A process is stopped
while the other one works, because its waiting threads may use the processor.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.memory import REPOSITORY, read_own_peak
from utils.environment import SETTINGS
from utils.errors import UserError


def serve(work: Callable) -> None:
    """Run `work` in the child for every line of input; print its seconds and the process's peak memory in MiB."""
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": read_own_peak()}), flush=True)


class Side:
    """One of the programs: `python -m` words; its process lives as long as the `with` block.

    environment: variables that replace those that this project sets for MindSpore.
    """

    def __init__(self, *words, environment: dict[str, str] | None = None):
        self.words = [sys.executable, "-m", *map(str, words)]
        inherited = {name: value for name, value in os.environ.items() if environment is None or name not in SETTINGS}
        # An explicit environment: importing MindSpore sets OMP_NUM_THREADS=1 in the C environment, which a child would
        # inherit otherwise.
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
        """Run one round of the work; returns the child's answer. Other lines, which libraries print, are ignored."""
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
    """Run the sides in turn, `repeats` times after one unmeasured round each; each Side keeps its figures."""
    with contextlib.ExitStack() as processes:
        for side in sides:
            processes.enter_context(side).warm_up()
        for _ in range(repeats):
            for side in sides:
                side.seconds.append(side.run()["seconds"])
