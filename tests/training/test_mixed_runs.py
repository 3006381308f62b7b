"""A mixture of data sets through train.py, with SPIN's fits and their errors as weights."""

import json

import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from datasets.registry import MIXTURES
from tests.conftest import run_script
from tests.datasets.test_mixed_dataset import SIZES, write_member
from tests.helpers import tiny_decomr

pytestmark = pytest.mark.slow


def test_a_mixture_trains_both_stages(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    with tiny_decomr.data_root(folder) as root:
        for name in MIXTURES["all"]:
            write_member(root, name, SIZES[name])
        words = ["--dataset", "all", "--use_spin_fit", "--adaptive_weight", "--use_smpl_joints", "--cache_ram"]
        run_script(
            "train.py", *words, "--img_res", 64, "--lnet_width", 0.125, "--mode", "pynative", "--num_workers", 2,
            "--log_freq", 1, "--num_epochs_dp", 1, "--num_epochs_end", 1, "--batch_size", 4, "--name", "run",
            "--ckpt_dir", tmp_path / "ckpt", "--log_dir", tmp_path / "logs", data_dir=root,
        )  # fmt: skip
        failed = run_script(
            "eval.py", "--dataset", "all", "--eval_dir", tmp_path / "ckpt/rank0", data_dir=root, check=False
        )
    lines = [json.loads(line) for line in (tmp_path / "logs/run/metrics.jsonl").read_text().splitlines()]
    losses = [line["losses"] for line in lines if "losses" in line]
    assert len(losses) == 2 * (max(SIZES[name] for name in MIXTURES["all"]) // 4)
    assert all(np.isfinite(list(terms.values())).all() for terms in losses)
    assert losses[-1]["key2D"] > 0
    assert failed.returncode == 2 and "all is a mixture for training and has no test images" in failed.stderr
