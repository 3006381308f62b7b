"""What a training run reports: a progress bar, metrics.jsonl and pictures, on rank 0 only."""

import json
import sys
import time
from pathlib import Path

import cv2
from tqdm import tqdm

from utils.files import make_folder, write_png

METRICS_NAME = "metrics.jsonl"


class RunLog:
    """Log of a run in log_dir/name. As a context it closes its file at the end."""

    def __init__(self, options, is_main: bool = True):
        self.folder = Path(options.log_dir) / options.name
        self.log_freq = options.log_freq
        self.is_main = is_main

    def __enter__(self):
        if self.is_main:
            make_folder(self.folder)
            self.metrics = open(self.folder / METRICS_NAME, "a", encoding="utf-8")  # noqa: SIM115 closed in __exit__
        return self

    def __exit__(self, *_):
        if self.is_main:
            self.metrics.close()

    def say(self, line: str) -> None:
        if self.is_main:
            tqdm.write(line, file=sys.stderr)

    def record(self, entry: dict) -> None:
        """Append one JSON line to metrics.jsonl."""
        if self.is_main:
            self.metrics.write(json.dumps(entry) + "\n")
            self.metrics.flush()

    def picture(self, name: str, image) -> None:
        """Write an RGB picture [H, W, 3] uint8 into the log folder."""
        if self.is_main:
            write_png(self.folder / name, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


class StageMeter:
    """Progress of one stage: losses by name, samples/s, share of time waiting for data, time left."""

    def __init__(self, log: RunLog, stage: str, total_steps: int, done_steps: int, samples_per_step: int):
        self.log, self.stage, self.samples_per_step = log, stage, samples_per_step
        self.bar = tqdm(
            total=total_steps, initial=done_steps, desc=stage, unit="step", disable=not log.is_main, mininterval=1.0
        )
        self.waited = self.worked = 0.0
        self.steps = 0

    def step(self, step: int, epoch: int, waited: float, worked: float, losses: dict, lr: float) -> None:
        """Count a step; losses: name -> value of this step."""
        self.waited += waited
        self.worked += worked
        self.steps += 1
        self.bar.update(1)
        rate = self.steps * self.samples_per_step / (self.waited + self.worked)
        share = self.waited / (self.waited + self.worked)
        shown = {name: f"{value:.3f}" for name, value in losses.items()}
        self.bar.set_postfix(epoch=epoch, **shown, refresh=False)
        if step % self.log.log_freq == 0 or step == self.bar.total:
            remaining = (self.bar.total - step) * self.samples_per_step / rate
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
            self.waited = self.worked = 0.0
            self.steps = 0

    def close(self) -> None:
        self.bar.close()
