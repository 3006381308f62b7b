"""Peak memory of a process or of a command, in MiB.

`ru_maxrss` of a process is at least that of the process that started it: Linux keeps it over exec. So a process
reads its own peak from /proc, and a command is started from a process that is small.

    python -m benchmarks.memory WORDS ...

runs the command and ends with a line that holds the peak of the largest of its processes.
"""

import resource
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def peak_of_this_process() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024  # kB


def peak_of_command(words: list[str]) -> float:
    """The command, run in this repository: the peak of its largest process. CalledProcessError where it fails."""
    launcher = [sys.executable, "-m", "benchmarks.memory", *words]
    told = subprocess.run(launcher, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout
    return float(told.splitlines()[-1])


if __name__ == "__main__":
    code = subprocess.run(sys.argv[1:]).returncode
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    sys.exit(code)
