"""Train on generated people in street clothes, with and without the warp to the surface, and compare test errors.

    python -m benchmarks.convergence [--out convergence] [--num_train 20000] [--num_test 500] [--hours H] [--points 8]
        [-- TRAIN_OPTIONS]

Trains a CNet by configs/generated_dp.json. From it starts stage end by configs/generated_end.json, twice at the same
time, with half of the cores each: once with the warp, once without it (--no_warp: the LNet receives global features
only). Both train the CNet too. Writes errors.md, a table that also has the errors of the mean training mesh, and
errors.png with their curves. With --hours training stops after that time; the same command continues it.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.overfit import REPOSITORY, Commands
from utils.checkpoints.checkpoint import CNET_PREFIX, DMR_PREFIX
from utils.errors import UserError, run_command
from utils.files import atomic_path, write_text

SETTINGS = {stage: REPOSITORY / f"configs/generated_{stage}.json" for stage in ("dp", "end")}
ARMS = {"warp": [], "no_warp": ["--no_warp"]}
ERRORS = {"shape_error": "shape error", "mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE"}  # mm


class Run:
    """A folder with data, a CNet, and the networks of the two arms."""

    def __init__(self, out: Path, arguments):
        self.out, self.arguments = out, arguments
        self.commands = Commands(out / "data")
        self.end = None if arguments.hours is None else time.monotonic() + 3600 * arguments.hours

    def prepare(self) -> None:
        count = ["--num_train", self.arguments.num_train, "--num_test", self.arguments.num_test]
        workers = ["--workers", len(os.sched_getaffinity(0))]
        self.commands.run("-m", "synthetic.generate", *count, "--clothing", "street", "--img_res", 128, *workers)
        self.commands.run("preprocess_datasets.py", "--train_files", "--eval_files", "--gt_iuv", *workers)

    def train_cnet(self) -> Path:
        """Train the CNet; returns the file of its last weights."""
        self._train("dp", "dp", [])
        return self._weights("dp", CNET_PREFIX, self._options("dp")["num_epochs_dp"])[-1]

    def train_arm(self, arm: str, cnet: Path) -> list[dict]:
        """Train an arm; returns its errors on the test list at some epochs, with `epoch` and `hours`."""
        cores = choose_cores(list(ARMS).index(arm))
        self._train("end", arm, [*ARMS[arm], "--pretrained_checkpoint", cnet], cores)
        weights = self._weights(arm, DMR_PREFIX, 1)
        picked = [weights[i] for i in np.unique(np.linspace(0, len(weights) - 1, self.arguments.points).astype(int))]
        results = self.out / f"results_{arm}"
        # the last file is given twice, so that eval.py numbers its results even if there is one file only
        self.commands.run("eval.py", "--checkpoint", *picked, picked[-1], "--save_root", results, "--batch_size", 8,
                          "--num_workers", 1, cores=cores)  # fmt: skip
        records = self._records(arm)
        hours = measure_hours(records, self._options(arm)["batch_size"])[1:]
        rows = []
        for number, path in enumerate(picked, start=1):
            epoch = get_epoch(path)
            means = json.loads((results / f"up-3d_{number}_{path.stem}.json").read_text())["mean"]
            reached = max((h for h, record in zip(hours, records, strict=True) if record["epoch"] <= epoch), default=0)
            rows.append(means | {"epoch": epoch, "hours": reached})
        return rows

    def _train(self, stage: str, name: str, words: list, cores: list[int] | None = None) -> None:
        limit = [] if self.end is None else ["--time_to_run", max(0.0, self.end - time.monotonic())]
        resume = ["--resume"] if list(self._folder(name).glob("state_*.ckpt")) else []
        self.commands.run("train.py", "--from_json", SETTINGS[stage], *words, *self.arguments.options, *limit, *resume,
                          "--ckpt_dir", self._folder(name).parent, "--log_dir", self.out / "logs", "--name", name,
                          cores=cores)  # fmt: skip

    def _options(self, name: str) -> dict:
        """Read the options that a run had."""
        return json.loads((self._folder(name) / "config.json").read_text())

    def _folder(self, name: str) -> Path:
        return self.out / f"ckpt_{name}" / "rank0"

    def _weights(self, name: str, prefix: str, needed: int) -> list[Path]:
        """List the weights of every epoch so far; UserError for fewer than `needed`."""
        paths = sorted(self._folder(name).glob(f"{prefix}_*.ckpt"), key=get_epoch)
        if len(paths) < needed:
            raise UserError(
                f"{self._folder(name)} has weights of {len(paths)} epochs, needed are {needed}: the hours are over. "
                "The same command goes on."
            )
        return paths

    def _records(self, name: str) -> list[dict]:
        path = self.out / "logs" / name / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]


def choose_cores(number: int) -> list[int]:
    """Choose an arm's share of the cores of this process; all cores if there are too few to share."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[number :: len(ARMS)] if len(cores) >= len(ARMS) else cores


def get_epoch(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def measure_hours(records: list[dict], batch: int) -> np.ndarray:
    """Compute the hours of training at the start and at each record, without pauses, from the samples per second."""
    steps = np.diff([0, *(record["step"] for record in records)])
    spent = [step * batch / record["samples_per_s"] for step, record in zip(steps, records, strict=True)]
    return np.cumsum([0.0, *spent]) / 3600


def make_table(arms: dict[str, list[dict]]) -> str:
    """Make a Markdown table: errors of both arms in mm, and the shape error as a share of the mean mesh's."""
    titles = [*(f"{title}, mm" for title in ERRORS.values()), "share of mean mesh"]
    lines = ["| arm | epoch | hours | " + " | ".join(titles) + " |", "|---" + "|--:" * (len(titles) + 2) + "|"]
    for arm, rows in arms.items():
        for row in rows:
            cells = [f"{row[name]:.1f}" for name in ERRORS]
            share = row["shape_error"] / row["mean_mesh_shape_error"]
            lines.append(f"| {arm} | {row['epoch']} | {row['hours']:.2f} | {' | '.join(cells)} | {share:.3f} |")
    last = arms["warp"][-1]
    means = " | ".join(f"{last[f'mean_mesh_{name}']:.1f}" for name in ERRORS)
    return "\n".join([*lines, f"| mean mesh | | | {means} | 1 |"]) + "\n"


def plot(arms: dict[str, list[dict]], path: Path) -> None:
    """Plot the errors of both arms over epochs as a PNG, one panel for each error; dashed: the mean training mesh."""
    matplotlib.use("Agg")  # works without a screen
    figure, panels = plt.subplots(1, len(ERRORS), figsize=(10, 3.5), layout="constrained")
    for axes, (name, title) in zip(panels, ERRORS.items(), strict=True):
        for arm, rows in arms.items():
            axes.plot([row["epoch"] for row in rows], [row[name] for row in rows], marker="o", label=arm)
        axes.axhline(
            arms["warp"][-1][f"mean_mesh_{name}"], color="black", linestyle="--", linewidth=1, label="mean mesh"
        )
        axes.set(title=f"{title}, mm", xlabel="epoch of stage end", ylim=(0, None))
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="convergence", help="folder for data, weights and results")
    parser.add_argument("--num_train", type=int, default=20000)
    parser.add_argument("--num_test", type=int, default=500)
    parser.add_argument("--hours", type=float, help="train no longer than this in one call")
    parser.add_argument("--points", type=int, default=8, help="checkpoints of each arm to evaluate")
    parser.add_argument("options", nargs="*", help="further options of train.py, after --")
    arguments = parser.parse_args()
    out = Path(arguments.out).resolve()
    run = Run(out, arguments)
    run.prepare()
    cnet = run.train_cnet()
    with ThreadPoolExecutor(len(ARMS)) as pool:
        arms = dict(zip(ARMS, pool.map(lambda arm: run.train_arm(arm, cnet), ARMS), strict=True))
    write_text(out / "errors.md", make_table(arms))
    plot(arms, out / "errors.png")
    print(make_table(arms))


if __name__ == "__main__":
    run_command(main)
