"""What a training run reports, on rank 0 only: progress, metrics.jsonl, pictures and TensorBoard files."""

import contextlib
import datetime
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from utils.files import make_folder, write_png, write_text

METRICS_NAME = "metrics.jsonl"


class RunLog:
    """Log of a run in log_dir/name; the TensorBoard files of a stage are in a subfolder. `with` closes its files.

    On other ranks than the first every method does nothing.
    """

    def __init__(self, options, is_main: bool = True):
        self.folder = Path(options.log_dir) / options.name
        self.log_freq = options.log_freq
        self.is_main = is_main
        self._board: Any = None  # the writer of TensorBoard files; `board` opens it

    def __enter__(self):
        if self.is_main:
            make_folder(self.folder)
            self.metrics = open(self.folder / METRICS_NAME, "a", encoding="utf-8")  # noqa: SIM115 closed in __exit__
        return self

    def __exit__(self, *_):
        if self.is_main:
            self.metrics.close()
            self._close_board()

    def _close_board(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None

    def start_stage(self, stage: str, step: int, later: tuple[str, ...] = ()) -> None:
        """Begin `stage`, or go on with it after `step` steps; lines about later steps are removed.

        later: the names of the stages that follow.
        """
        if not self.is_main:
            return
        self._close_board()
        self.stage_folder, self.first_step = make_folder(self.folder / stage), step
        if step:
            self._rewind(stage, step, later)

    def renumber(self, stage: str, step: int) -> None:
        """Go on counting the steps of a stage from `step`; the steps before were of another size."""
        self.first_step = step
        self.record({"time": time.time(), "stage": stage, "step": step, "renumbered": True})

    @property
    def board(self):
        """The writer of the stage's TensorBoard files."""
        if self._board is None:
            # it imports PyTorch where that is installed: the first step should not wait for it
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(
                str(self.stage_folder),
                purge_step=self.first_step + 1 if self.first_step else None,
                filename_suffix=f".{time.time_ns()}",  # two starts within a second would share a name
            )
        return self._board

    def _rewind(self, stage: str, step: int, later: tuple[str, ...]) -> None:
        """Remove the lines at the end of metrics.jsonl about later steps of this stage or about later stages."""
        path = self.folder / METRICS_NAME
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        while lines and _is_after(lines[-1], stage, step, later):
            lines.pop()
        self.metrics.close()
        write_text(path, "".join(lines))
        self.metrics = open(path, "a", encoding="utf-8")  # noqa: SIM115 closed in __exit__

    def say(self, line: str) -> None:
        """Print a line in the terminal without breaking the progress bar."""
        if self.is_main:
            tqdm.write(line, file=sys.stderr)

    def record(self, entry: dict) -> None:
        """Append one JSON line to metrics.jsonl."""
        if self.is_main:
            self.metrics.write(json.dumps(entry) + "\n")
            self.metrics.flush()

    def scalars(self, group: str, values: dict, step: int) -> None:
        """Curves group/name in TensorBoard; values: name -> number."""
        if self.is_main:
            for name, value in values.items():
                if math.isfinite(value):  # the writer prints warnings about other values
                    self.board.add_scalar(f"{group}/{name}", value, step)
            self.board.flush()

    def picture(self, stage: str, title: str, step: int, image) -> None:
        """An RGB picture [H, W, 3] uint8 in TensorBoard, and as a file in the log folder."""
        if self.is_main:
            self.board.add_image(title, image, step, dataformats="HWC")
            self.board.flush()
            write_png(self.folder / f"{stage}_{title}_{step:07d}.png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _is_after(line: str, stage: str, step: int, later: tuple[str, ...]) -> bool:
    """Whether a line of metrics.jsonl is about a later step or stage, or incomplete because the run was killed."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        entry = json.loads(line)
        return entry["stage"] in later or entry["stage"] == stage and entry["step"] > step
    return True


class StageMeter:
    """Progress of one stage: losses by name, samples/s, share of time waiting for data, time left.

    It is a bar in a terminal, and a plain line every log_freq steps in a file. Losses are read at these steps only.
    """

    def __init__(self, log: RunLog, stage: str, total_steps: int, done_steps: int, samples_per_step: int):
        self.log, self.stage, self.samples_per_step = log, stage, samples_per_step
        self.total = total_steps
        self.bar = tqdm(
            total=total_steps, initial=done_steps, desc=stage, unit="step", mininterval=1.0,
            disable=not (log.is_main and sys.stderr.isatty()),
        )  # fmt: skip
        self._start_interval()

    def _start_interval(self) -> None:
        self.waited = self.worked = 0.0
        self.steps = 0

    def step(self, step: int, epoch: int, waited: float, worked: float, losses: Callable[[], dict], lr: float) -> None:
        """Count a step that waited for data and worked for so many seconds; losses(): name -> value of this step."""
        self.waited += waited
        self.worked += worked
        self.steps += 1
        self.bar.update(1)
        if step % self.log.log_freq == 0 or step == self.total:
            self._report(step, epoch, losses(), lr)
            self._start_interval()

    def _report(self, step: int, epoch: int, losses: dict, lr: float) -> None:
        shown = {name: f"{value:.3f}" for name, value in losses.items()}
        self.bar.set_postfix(epoch=epoch, **shown, refresh=False)
        rate = self.steps * self.samples_per_step / (self.waited + self.worked)
        share = self.waited / (self.waited + self.worked)
        remaining = (self.total - step) * self.samples_per_step / rate
        self.log.record(
            {
                "time": time.time(),
                "stage": self.stage,
                "epoch": epoch,
                "step": step,
                "lr": lr,
                "losses": losses,
                "samples_per_s": round(rate, 3),
                "data_wait_share": round(share, 4),
                "eta_s": round(remaining, 1),
            }
        )
        self.log.scalars("loss", losses, step)
        self.log.scalars("run", {"lr": lr, "samples_per_s": rate, "data_wait_share": share}, step)
        if self.bar.disable:
            terms = " ".join(f"{name} {value}" for name, value in shown.items())
            left = datetime.timedelta(seconds=round(remaining))
            self.log.say(
                f"{self.stage} epoch {epoch} step {step}/{self.total}: {terms}; {rate:.2f} samples/s, {left} left"
            )

    def close(self) -> None:
        """End the bar."""
        self.bar.close()
