"""UP-3D and SURREAL of the tiny body, prepared by the scripts as a user does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.helpers import tiny_surreal, tiny_up3d

REPOSITORY = Path(__file__).resolve().parents[2]
UP_3D, SURREAL = "preprocess_datasets.py", "preprocess_surreal.py"
ALL_STEPS = ("--train_files", "--eval_files", "--gt_iuv")


def preprocess(script: str, root: Path, *options: str, workers: int = 1) -> subprocess.CompletedProcess:
    command = [sys.executable, script, *options, "--workers", str(workers)]
    environment = os.environ | {"DECOMR_DATA": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def load(root: Path, name: str) -> dict:
    """The columns of a table below a data root."""
    with np.load(root / "DATASET_NPZ_PATH" / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def prepare_up_3d(root: Path) -> Path:
    tiny_up3d.write_data(root)
    finished = preprocess(UP_3D, root, *ALL_STEPS)
    assert finished.returncode == 0, finished.stderr
    return root


def prepare_surreal(root: Path) -> Path:
    tiny_surreal.write_data(root)
    finished = preprocess(SURREAL, root, *ALL_STEPS)
    assert finished.returncode == 0, finished.stderr
    assert "surreal_train: 3 made" in finished.stdout and "surreal_val: 2 made" in finished.stdout
    assert finished.stderr.count("the video has one frame only") == 2
    return root
