"""The one command of the README, on a handful of photographs."""

import json
import os
import subprocess

import cv2
import pytest

from tests.conftest import REPOSITORY


def run_quickstart(folder, *options) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "scripts/quickstart.sh", "--out", str(folder), *options],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != "DECOMR_DATA"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_quickstart_goes_from_nothing_to_results_and_again_without_work(tmp_path):
    small = ("--num_train", "8", "--num_test", "3", "--", "--num_epochs_dp", "1", "--num_epochs_end", "1")
    first = run_quickstart(tmp_path, *small)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "*** Final Results ***" in first.stdout
    assert "Shape Error: " in first.stdout

    results = json.loads((tmp_path / "results" / "up-3d.json").read_text())
    assert len(results["images"]) == 3
    assert 0 < results["mean"]["shape_error"] < 2000
    sheet = cv2.imread(str(tmp_path / "results" / "up-3d_contact_sheet.png"))
    assert sheet.shape[1] > 5 * 224

    weights = tmp_path / "ckpt" / "rank0" / "dmr_1.ckpt"
    written = weights.stat().st_mtime_ns
    second = run_quickstart(tmp_path, *small)
    assert second.returncode == 0, second.stdout + second.stderr
    assert weights.stat().st_mtime_ns == written
    again = json.loads((tmp_path / "results" / "up-3d.json").read_text())
    assert again["mean"] == results["mean"]


def test_the_quickstart_explains_itself_and_refuses_unknown_options(tmp_path):
    told = subprocess.run(["bash", "scripts/quickstart.sh", "--help"], cwd=REPOSITORY, capture_output=True, text=True)
    assert told.returncode == 0
    assert "--num_train" in told.stdout
    refused = run_quickstart(tmp_path, "--banana")
    assert refused.returncode == 2
    assert "--banana" in refused.stderr
