"""Check that the model can learn: fit 8 photographs with the project's commands and evaluate on the same 8.

    python -m benchmarks.overfit [--out overfit] [--steps_dp 700] [--steps_end 1400] [-- TRAIN_OPTIONS]

Prints what eval.py prints. A correct implementation reaches a shape error below 20 mm and a mask IoU above 0.95 in
pixels of the IUV image. In pixels of the crop, benchmarks.mask_floor shows what the mask
loss allows.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from utils.errors import UserError, run_command
from utils.files import write_npz

REPOSITORY = Path(__file__).resolve().parent.parent
PHOTOGRAPHS = 8
BATCH = 4
REPEATS = 20  # repetitions of the list in one epoch; shorter epochs would write too many checkpoints


class Commands:
    """Runs the project's commands on one data root; UserError if one fails."""

    def __init__(self, data_root: Path):
        self.environment = dict(os.environ, DECOMR_DATA=str(data_root))

    def run(self, *words, cores: list[int] | None = None) -> None:
        """Run `python` with these words. cores: the cores that the command may use (default: all)."""
        prefix = ["taskset", "--cpu-list", ",".join(map(str, cores))] if cores else []
        command = [*prefix, sys.executable, *map(str, words)]
        result = subprocess.run(command, cwd=REPOSITORY, env=self.environment)
        if result.returncode:
            raise UserError(f"{words[0]} ended with exit code {result.returncode}; its message stands above.")


def prepare(root: Path, commands: Commands) -> None:
    """Prepare 8 photographs as training list, repeated, and the same 8 as test list."""
    commands.run("-m", "synthetic.generate", "--num_train", PHOTOGRAPHS, "--num_test", 1, "--clothing", "suit")
    commands.run("preprocess_datasets.py", "--train_files", "--eval_files", "--gt_iuv")
    train, test = (root / "DATASET_NPZ_PATH" / f"up_3d_{split}.npz" for split in ("trainval", "lsp_test"))
    with np.load(train) as table:
        rows = {name: table[name][:PHOTOGRAPHS] for name in table.files}
    write_npz(test, **rows)
    write_npz(train, **{name: np.concatenate([values] * REPEATS) for name, values in rows.items()})


def count_epochs(steps: int) -> int:
    return -(-steps * BATCH // (PHOTOGRAPHS * REPEATS))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="overfit", help="folder for data, weights and results")
    parser.add_argument("--steps_dp", type=int, default=700)
    parser.add_argument("--steps_end", type=int, default=1400)
    parser.add_argument("options", nargs="*", help="further options of train.py, after --")
    arguments = parser.parse_args()
    out = Path(arguments.out).resolve()
    commands = Commands(out / "data")
    prepare(out / "data", commands)
    common = ["--img_res", 192, "--lnet_width", 0.125, "--batch_size", BATCH, "--lr", 1e-3, "--lr_schedule", "linear",
              "--no_augmentation", "--zero_init_residual", "--num_workers", 1, "--log_dir", out / "logs",
              *arguments.options]  # fmt: skip
    dp, end = count_epochs(arguments.steps_dp), count_epochs(arguments.steps_end)
    commands.run("train.py", "--fresh", "--stage", "dp", "--ckpt_dir", out / "ckpt_dp", "--name", "overfit_dp",
                 "--num_epochs_dp", dp, "--lam_dp_mask", 1, *common)  # fmt: skip
    commands.run("train.py", "--fresh", "--stage", "end", "--ckpt_dir", out / "ckpt", "--name", "overfit_end",
                 "--num_epochs_end", end, "--freeze_cnet", "--gtkey3d_from_mesh", "--lam_mesh", 10, "--lam_uv", 0.2,
                 "--pretrained_checkpoint", out / "ckpt_dp" / "rank0" / f"CNet_{dp}.ckpt", *common)  # fmt: skip
    commands.run("eval.py", "--eval_dir", out / "ckpt" / "rank0", "--save_root", out / "results", "--batch_size", 8,
                 "--num_workers", 1, "--num_vis", PHOTOGRAPHS)  # fmt: skip


if __name__ == "__main__":
    run_command(main)
