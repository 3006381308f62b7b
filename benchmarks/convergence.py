"""How far does training go? Both stages on a larger generated set, for as long as given, and the test errors over time.

    python -m benchmarks.convergence [--out convergence] [--num_train 2000] [--num_test 100]
        [--hours_dp 1] [--hours_end 4] [--batch_size 4] [--points 8] [-- TRAIN_OPTIONS]

Writes errors.md, a table beside the errors of the mean training mesh, and errors.png, their curve. The same command
continues where it was stopped, and longer hours continue a run that has ended. What the warp to the surface earns
shows a second run on the same data and CNet whose LNet sees global features alone:

    python -m benchmarks.convergence --out no_warp --data_dir convergence/data \\
        --cnet convergence/ckpt_dp/rank0/CNet_9.ckpt --hours_end 4 -- --no_warp
"""

import argparse
import json
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.overfit import Commands
from utils.errors import UserError, run_command
from utils.files import atomic_path, write_text

COMMON = ["--img_res", 160, "--warp_level", 3, "--lnet_width", 0.25, "--num_workers", 1, "--no_augmentation",
          "--zero_init_residual", "--summary_steps", 100_000]  # fmt: skip
STAGES = {
    "dp": ["--lam_dp_mask", 1, "--lr", 1e-3],
    "end": ["--freeze_cnet", "--lam_mesh", 10, "--lam_uv", 0.2, "--gtkey3d_from_mesh", "--lr", 5e-4],
}
EPOCHS = 100_000  # time ends the run
ERRORS = {"shape_error": "shape error", "mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE"}  # mm
WORTHWHILE = 60  # seconds; less is not trained


class Run:
    """A folder with one run of both stages."""

    def __init__(self, out: Path, data: Path, batch: int, options: list):
        self.out, self.batch, self.options, self.commands = out, batch, options, Commands(data)

    def prepare(self, num_train: int, num_test: int) -> None:
        count = ["--num_train", num_train, "--num_test", num_test]
        self.commands.run("-m", "datasets.synthetic.generate", *count, "--clothing", "suit", "--workers", 2)
        self.commands.run("preprocess_datasets.py", "--train_files", "--eval_files", "--gt_iuv", "--workers", 2)

    def train(self, stage: str, hours: float, *words) -> None:
        """Train a stage until it has had `hours` in all."""
        folder = self.checkpoints(stage)
        seconds = 3600 * (hours - elapsed(self.records(stage), self.batch)[-1])
        if seconds < WORTHWHILE:
            return
        resume = ["--resume"] if list(folder.glob("state_*.ckpt")) else []
        self.commands.run("train.py", *COMMON, "--stage", stage, *STAGES[stage], *words, *self.options, *resume,
                          "--batch_size", self.batch, "--num_epochs_dp", EPOCHS, "--num_epochs_end", EPOCHS,
                          "--time_to_run", seconds, "--ckpt_dir", folder.parent, "--log_dir", self.out / "logs",
                          "--name", stage)  # fmt: skip

    def checkpoints(self, stage: str) -> Path:
        return self.out / f"ckpt_{stage}" / "rank0"

    def records(self, stage: str) -> list[dict]:
        path = self.out / "logs" / stage / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def evaluate(self, points: int) -> list[dict]:
        """Errors on the test list of at most `points` checkpoints, evenly spread, with `hours` and `epoch`."""
        folder = self.checkpoints("end")
        epochs = sorted(int(path.stem.removeprefix("dmr_")) for path in folder.glob("dmr_*.ckpt"))
        if not epochs:
            raise UserError(f"{folder} has no dmr_*.ckpt: no epoch has ended. Give more --hours_end.")
        records = self.records("end")
        hours = elapsed(records, self.batch)[1:]
        rows = []
        for epoch in (epochs[i] for i in np.unique(np.linspace(0, len(epochs) - 1, points).round().astype(int))):
            target = self.out / "results" / f"epoch_{epoch}"
            if not (target / "up-3d.json").exists():
                self.commands.run("eval.py", "--checkpoint", folder / f"dmr_{epoch}.ckpt", "--save_root", target,
                                  "--batch_size", 8, "--num_workers", 1)  # fmt: skip
            means = json.loads((target / "up-3d.json").read_text())["mean"]
            reached = max((h for h, record in zip(hours, records, strict=True) if record["epoch"] <= epoch), default=0)
            rows.append(means | {"epoch": epoch, "hours": reached})
        return rows


def elapsed(records: list[dict], batch: int) -> np.ndarray:
    """Hours of training at the start and at each record, pauses left out: from the samples a second that it states."""
    steps = np.diff([0, *(record["step"] for record in records)])
    spent = [step * batch / record["samples_per_s"] for step, record in zip(steps, records, strict=True)]
    return np.cumsum([0.0, *spent]) / 3600


def table(rows: list[dict]) -> str:
    """Markdown: errors in mm, and the shape error as a share of the mean mesh's."""
    lines = ["| epoch | hours | " + " | ".join(f"{title}, mm" for title in ERRORS.values()) + " | share of mean mesh |",
             "|--:" * (len(ERRORS) + 3) + "|"]  # fmt: skip
    for row in rows:
        cells = [f"{row[name]:.1f}" for name in ERRORS]
        share = row["shape_error"] / row["mean_mesh_shape_error"]
        lines.append(f"| {row['epoch']} | {row['hours']:.2f} | {' | '.join(cells)} | {share:.3f} |")
    means = " | ".join(f"{rows[-1][f'mean_mesh_{name}']:.1f}" for name in ERRORS)
    return "\n".join([*lines, f"| mean mesh | | {means} | 1 |"]) + "\n"


def plot(rows: list[dict], path: Path) -> None:
    """Errors over hours of stage end as a PNG; dashed: the mean training mesh."""
    matplotlib.use("Agg")  # no screen
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, title in ERRORS.items():
        (line,) = axes.plot([row["hours"] for row in rows], [row[name] for row in rows], marker="o", label=title)
        axes.axhline(rows[-1][f"mean_mesh_{name}"], color=line.get_color(), linestyle="--", linewidth=1)
    axes.set(xlabel="hours of stage end", ylabel="test error, mm (dashed: mean training mesh)", ylim=(0, None))
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="convergence", help="folder for data, weights and results")
    parser.add_argument("--data_dir", help="data root (default: `data` in the folder)")
    parser.add_argument("--cnet", help="weights of a trained CNet: stage dp is left out")
    parser.add_argument("--num_train", type=int, default=2000)
    parser.add_argument("--num_test", type=int, default=100)
    parser.add_argument("--hours_dp", type=float, default=1.0)
    parser.add_argument("--hours_end", type=float, default=4.0)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--points", type=int, default=8, help="checkpoints to evaluate")
    parser.add_argument("options", nargs="*", help="further options of train.py, after --")
    arguments = parser.parse_args()
    out = Path(arguments.out).resolve()
    run = Run(out, Path(arguments.data_dir or out / "data").resolve(), arguments.batch_size, arguments.options)
    if not arguments.data_dir:
        run.prepare(arguments.num_train, arguments.num_test)
    if not arguments.cnet:
        run.train("dp", arguments.hours_dp)
    cnets = list(run.checkpoints("dp").glob("CNet_*.ckpt"))
    cnet = arguments.cnet or max(cnets, key=lambda path: int(path.stem.removeprefix("CNet_")), default=None)
    if cnet is None:
        raise UserError("stage dp ended before its first epoch did. Give more --hours_dp.")
    run.train("end", arguments.hours_end, "--pretrained_checkpoint", cnet)
    rows = run.evaluate(arguments.points)
    write_text(out / "errors.md", table(rows))
    plot(rows, out / "errors.png")
    print(table(rows))


if __name__ == "__main__":
    run_command(main)
