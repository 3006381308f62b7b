"""train.py with networks of few blocks, one of each kind: they compile in half of the time.

python -m tests.helpers.short_train [options of train.py]
"""

from utils.device import setup_device  # noqa: F401, I001  sets the environment MindSpore starts in

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import train
from models import dense_cnn, resnet
from utils.errors import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = (2, 1, 1, 1)  # instead of (3, 4, 6, 3); the second of the first stage has no downsampling
LEVELS = 1  # of the hourglass, instead of 3
SAMPLES, STEPS = 4, 3  # of a step; of a stage, on the 12 training samples of the generated data
# 128 px: at 64 no map of the CNet is large enough for its transposed convolution
SIDE = 128
WORDS = ("--img_res", SIDE, "--lnet_width", 0.125, "--num_workers", 1, "--summary_steps", 1000)

# the columns that a step takes, by their sizes in bytes
_IMAGE, _NUMBER = SAMPLES * 3 * SIDE**2 * 4, SAMPLES * 4
BATCH = {
    "dp": Counter([_IMAGE, _IMAGE, _NUMBER]),  # img, gt_iuv, has_dp
    # and three more flags, fit_joint_error, from_mesh; pose, betas, gender of the mesh
    "end": Counter([_IMAGE, _IMAGE, *[_NUMBER] * 5, 2 * _NUMBER, 72 * _NUMBER, 10 * _NUMBER, _NUMBER])
    + Counter([72 * _NUMBER, 96 * _NUMBER] * 2),  # keypoints and pose_3d of two joint sets
}


class ShortHourGlass(dense_cnn.HourGlass):
    """An hourglass of LEVELS, however many are asked for."""

    def __init__(self, channels: int, levels: int, *rest):
        super().__init__(channels, LEVELS, *rest)


def install(replace=setattr) -> None:
    """Let this process build them; `replace`: a test's monkeypatch.setattr, to undo it."""
    replace(resnet, "STAGE_BLOCKS", BLOCKS)
    replace(dense_cnn, "HourGlass", ShortHourGlass)


def both_stages(folder: Path, root: Path, environment: dict, *words) -> subprocess.CompletedProcess:
    """Train STEPS steps of each stage in a process of its own, in `folder`, on the generated data below `root`."""
    epochs = ("--num_epochs_dp", 1, "--num_epochs_end", 1, "--batch_size", SAMPLES)
    return run(folder, root, environment, sys.executable, "-m", "tests.helpers.short_train", *epochs, *WORDS, *words)


def run(folder: Path, root: Path, environment: dict, *command) -> subprocess.CompletedProcess:
    """A command in `folder`, with stdout and stderr as one text; AssertionError with its end where it fails."""
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY), "DECOMR_DATA": str(root)} | environment
    variables = {name: str(value) for name, value in variables.items()}
    result = subprocess.run(
        [*map(str, command)], cwd=folder, env=variables, text=True, timeout=590,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert result.returncode == 0, f"{command} ended with {result.returncode}:\n{result.stdout[-6000:]}"
    return result


def short_python(folder: Path) -> Path:
    """A `python` in a folder of its own that the launch scripts can be given: it runs this in place of train.py."""
    program = folder / "bin" / "python"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
[ "$1" = -u ] && shift
case "$1" in
    */train.py) shift; exec {sys.executable} -u -m tests.helpers.short_train "$@" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""
    )
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    install()
    run_command(train.main)
