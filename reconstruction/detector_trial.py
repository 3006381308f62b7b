"""Try a detector's file in a process of its own: on some damaged files OpenCV ends the process that reads them.

    python -m reconstruction.detector_trial FILE

prints why the file is refused, or nothing.
"""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import cv2

from reconstruction.detector import PLAIN_EXPORT, Detector
from utils.array_files.limits import limited_memory
from utils.errors import UserError
from utils.interpreter import REPOSITORY

MEMORY, SECONDS = 8 << 30, 120  # that the file and one picture may take
REFUSED = 2  # exit code


def try_detector(path) -> None:
    """Read the file and compute one picture elsewhere; UserError if that fails, takes too much or ends the process."""
    command = [sys.executable, "-m", "reconstruction.detector_trial", str(Path(path).resolve())]
    trial = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if trial.returncode == 0:
        return
    if trial.returncode == REFUSED:
        raise UserError(trial.stdout.strip())
    if trial.returncode > 0 and "MemoryError" not in trial.stderr:
        raise RuntimeError(f"{path}: {trial.stderr}")  # a fault of this program
    reason = signal.Signals(-trial.returncode).name if trial.returncode < 0 else "no memory"
    limits = f"more than {MEMORY >> 30} GiB or {SECONDS} s"
    what = f"takes {limits}" if reason in ("SIGXCPU", "no memory") else f"crashes ({reason})"
    raise UserError(f"{path}: OpenCV {cv2.__version__} {what} when it reads this file. {PLAIN_EXPORT}.")


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # ends loops of OpenCV too
    cv2.setNumThreads(1)  # each thread would reserve memory
    try:
        with limited_memory(MEMORY):
            Detector(sys.argv[1])
    except UserError as error:
        print(error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
