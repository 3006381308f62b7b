"""Measure the peak memory of a process or of a command, in MiB.

Linux keeps `ru_maxrss` over exec, so a process has at least the value of the process that started it. Therefore a
process reads its own peak from /proc, and a small process starts the command.

    python -m benchmarks.memory WORDS ...

runs the command and prints the peak of its largest process as the last line.
"""

import resource
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def read_own_peak() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024  # kB


def measure_command_peak(words: list[str]) -> float:
    """Run the command in this repository; returns the peak of its largest process. CalledProcessError if it fails."""
    launcher = [sys.executable, "-m", "benchmarks.memory", *words]
    told = subprocess.run(launcher, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    return float(told.splitlines()[-1])


if __name__ == "__main__":
    code = subprocess.run(sys.argv[1:]).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    sys.exit(code)
