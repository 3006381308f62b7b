"""Trains and shows for long, and looks at memory, open files and the time of a step.

    python -m tests.reliability.soak train [--steps 20000]
    python -m tests.reliability.soak demo --checkpoint FOLDER [--frames 5000]

train: stage end of thin networks on generated photographs, with validation, pictures, saved states and a new loader for
every epoch. demo: a video of generated people, as a whole program. A table says what the process held after a start
and at the end; the exit code is 1 if it grew by more than the limits here.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PHOTOGRAPHS, HELD_OUT = 200, 0.1
BATCH_SIZE = 2
SETTLED = 500  # steps or frames after which nothing may grow any more
SPAN = 1000  # steps or frames at each end whose time is compared
GROWTH, SLOWDOWN = 20.0, 1.1  # MiB; last time of a step / first
PERIOD = 2.0  # seconds between looks
NETWORK = ("--img_res", 64, "--cnet_width", 0.125, "--lnet_width", 0.125, "--batch_size", BATCH_SIZE)


@dataclass(frozen=True)
class Look:
    """What a process held at a time: memory with its children, its open files, its children.

    Memory is the sum of proportional shares (Pss): workers are forks, and pages that they share with the process would
    be left out of its private memory as long as a worker lives, and counted twice as resident.
    """

    time: float
    memory: float  # MiB
    files: int
    children: int


def look(process: psutil.Process) -> Look:
    """Look at a process now; psutil.Error if it is gone."""
    children = process.children(recursive=True)
    memory = process.memory_full_info().pss / 2**20
    for child in children:
        try:
            memory += child.memory_full_info().pss / 2**20
        except psutil.Error:  # it ended in the meantime
            continue
    return Look(time.time(), memory, process.num_fds(), len(children))


def watch(words: list, environment: dict, say=None) -> tuple[int, list[Look]]:
    """Run a command of this repository; returns its exit code and a look at it every PERIOD.

    say: is called with each part of its output on standard error.
    """
    command = [sys.executable, *map(str, words)]
    stderr = subprocess.PIPE if say else None
    process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | environment, stderr=stderr)
    reader = threading.Thread(target=_read_all, args=(process.stderr, say)) if say else None
    if reader:
        reader.start()
    looks = []
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):  # it may end just now
            looks.append(look(psutil.Process(process.pid)))
        time.sleep(PERIOD)
    if reader:
        reader.join()
    return process.returncode, looks


def _read_all(stream, say) -> None:
    while part := stream.read1():
        say(part.decode(errors="replace"))


def make_photographs(root: Path) -> None:
    """Write a data root of prepared photographs of generated people."""
    generate = ["-m", "synthetic.generate", "--num_train", str(PHOTOGRAPHS), "--num_test", "8", "--img_res", "128"]
    for words in (generate, ["preprocess_datasets.py", "--train_files", "--gt_iuv"]):
        command = [sys.executable, *words]
        subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"DECOMR_DATA": str(root)}, check=True)


def soak_training(root: Path, out: Path, steps: int) -> bool:
    """Train for so many steps; returns whether nothing grew."""
    epochs = -(-steps // int(PHOTOGRAPHS * (1 - HELD_OUT) / BATCH_SIZE))
    words = ["train.py", "--stage", "end", *NETWORK, "--num_workers", 2, "--num_epochs_end", epochs,
             "--pretrained_checkpoint", first_weights(root, out), "--val_share", HELD_OUT, "--test_steps", 1000,
             "--summary_steps", 500, "--checkpoint_steps", 500, "--log_freq", 50, "--name", "soak",
             "--ckpt_dir", out / "ckpt", "--log_dir", out / "logs"]  # fmt: skip
    code, looks = watch(words, {"DECOMR_DATA": str(root)})
    if code:
        raise SystemExit(f"train.py ended with exit code {code}")
    lines = [json.loads(line) for line in (out / "logs/soak/metrics.jsonl").read_text().splitlines()]
    records = [line for line in lines if "samples_per_s" in line]
    times = np.array([[record["step"], record["time"]] for record in records])
    step_times = {record["step"]: BATCH_SIZE / record["samples_per_s"] for record in records}
    return report("step", looks, times, step_times)


def first_weights(root: Path, out: Path) -> Path:
    """Train the CNet for an epoch, so that stage end has one to start from."""
    words = ["train.py", "--stage", "dp", *NETWORK, "--num_workers", 1, "--num_epochs_dp", 1,
             "--ckpt_dir", out / "ckpt_dp", "--log_dir", out / "logs"]  # fmt: skip
    command = [sys.executable, *map(str, words)]
    subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"DECOMR_DATA": str(root)}, check=True)
    return out / "ckpt_dp/rank0/CNet_1.ckpt"


def soak_demo(root: Path, out: Path, frames: int, checkpoint: str) -> bool:
    """Show a video of so many frames; returns whether nothing grew."""
    video = out / "people.mp4"
    write_video(video, sorted((root / "up-3d").glob("*_image.png")), frames)
    progress = Progress()
    words = ["demo.py", "--img", video, "--checkpoint", checkpoint, "--out", out / "demo", "--batch_size", 8]
    code, looks = watch(words, {"DECOMR_DATA": str(root)}, progress)
    if code:
        raise SystemExit(f"demo.py ended with exit code {code}")
    counts = np.array(progress.counts)
    chosen = np.unique(np.linspace(0, len(counts) - 1, 200).astype(int))
    done, when = counts[chosen].T
    per_frame = np.diff(when) / np.maximum(np.diff(done), 1)
    return report("frame", looks, counts, dict(zip(done[1:], per_frame, strict=True)))


class Progress:
    """Takes the output of a progress bar; `counts` has (frames done, time) for every count in it."""

    def __init__(self):
        self.counts: list[tuple[float, float]] = []

    def __call__(self, text: str) -> None:
        for part in text.replace("\r", "\n").split("\n"):
            if "|" in part and "/" in part:
                count = part.rpartition("|")[2].split("/")[0].strip()
                if count.isdigit():
                    self.counts.append((float(count), time.time()))
            elif part.strip():
                print(part)


def write_video(path: Path, pictures: list[Path], frames: int) -> None:
    """Write a video in which one photograph after the other stands for a second."""
    first = cv2.imread(str(pictures[0]))
    size = first.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, size)
    for number in range(frames):
        picture = cv2.imread(str(pictures[number // 25 % len(pictures)]))
        writer.write(cv2.resize(picture, size))
    writer.release()


def report(unit: str, looks: list[Look], times: np.ndarray, seconds: dict[float, float]) -> bool:
    """Print what was held after SETTLED steps (or frames) and at the end; returns whether it stayed within the limits.

    times: [N, 2], steps done and the time then. seconds: step -> seconds of a step before it.
    """
    last = times[-1, 0]
    begin, end = np.interp([SETTLED, last], times[:, 0], times[:, 1])
    while_working = [found for found in looks if begin <= found.time <= end]
    tenth = max(1, len(while_working) // 10)
    early, late = while_working[:tenth], while_working[-tenth:]
    print(f"\n{last:.0f} {unit}s, {len(looks)} looks")
    growth = {}
    titles = {"memory": "memory with workers, MiB", "files": "open files", "children": "workers"}
    for name, title in titles.items():
        before, after = (median(getattr(found, name) for found in part) for part in (early, late))
        growth[name] = after - before
        print(f"{title:28} {before:8.1f} {after:8.1f} {after - before:+8.1f}")
    steps = sorted(seconds)
    early_time = mean(seconds[step] for step in steps if SETTLED < step <= SETTLED + SPAN)
    late_time = mean(seconds[step] for step in steps if step > last - SPAN)
    ratio = late_time / early_time
    print(f"{f'time of a {unit}, ms':28} {1e3 * early_time:8.1f} {1e3 * late_time:8.1f}   ratio {ratio:.3f}")
    return bool(growth["memory"] < GROWTH and growth["files"] <= 0 and ratio < SLOWDOWN)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=["train", "demo"])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=5_000)
    parser.add_argument("--checkpoint", help="dmr weights for demo, or their folder")
    arguments = parser.parse_args()
    if min(arguments.steps, arguments.frames) < SETTLED + 2 * SPAN:
        parser.error(f"--steps and --frames must be at least {SETTLED + 2 * SPAN}")
    if arguments.program == "demo" and not arguments.checkpoint:
        parser.error("demo needs --checkpoint")
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "data", Path(folder) / "out"
        out.mkdir()
        make_photographs(root)
        if arguments.program == "train":
            held = soak_training(root, out, arguments.steps)
        else:
            held = soak_demo(root, out, arguments.frames, str(Path(arguments.checkpoint).resolve()))
    print("within the limits" if held else "OVER THE LIMITS")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
