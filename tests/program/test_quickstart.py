"""The one command of the README, on a handful of photographs, and what it tells each program."""

import json
import os
import shlex
import subprocess

import cv2
import pytest

from tests.conftest import REPOSITORY
from utils.train_options import TrainOptions

# stands in for the environment's Python: writes down its words, and the weights that the script looks for
STAND_IN = """#!/bin/bash
if [ "$1" = -c ]; then echo 3.11; exit 0; fi
printf '%q ' "$@" >>"$RECORD"; echo >>"$RECORD"
case " $* " in *" --stage dp "*) mkdir -p "$CKPT_DP/rank0" && touch "$CKPT_DP/rank0/CNet_3.ckpt" ;; esac
"""


def run_quickstart(folder, *options, **variables) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "DECOMR_DATA"}
    return subprocess.run(
        ["bash", "scripts/quickstart.sh", "--out", str(folder), *options],
        cwd=REPOSITORY,
        env=environment | {name: str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def record(tmp_path):
    """record(*options): the words that the quickstart gives to Python, one list for each call."""
    venv, out, calls = tmp_path / "venv", tmp_path / "out", tmp_path / "calls"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib/python3.11").mkdir(parents=True)
    (venv / "bin/python").write_text(STAND_IN)
    (venv / "bin/python").chmod(0o755)
    command = "cat requirements*.{txt,lock} | sha256sum | cut -c1-16"
    digest = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()
    (venv / f"installed-{digest}-requirements.txt").touch()

    def start(*options) -> list[list[str]]:
        calls.write_text("")
        ended = run_quickstart(out, *options, DECOMR_VENV=venv, RECORD=calls, CKPT_DP=out / "ckpt_dp")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return [shlex.split(line) for line in calls.read_text().splitlines()]

    return start


def training_options(calls: list[list[str]]) -> list:
    """The options of each call of train.py."""
    return [TrainOptions().parse_args(words[1:]) for words in calls if words[0] == "train.py"]


def test_the_quickstart_trains_two_stages_each_by_its_file(record, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    out = tmp_path / "out"
    calls = record()
    assert [words[0] for words in calls] == ["-m", "preprocess_datasets.py", "train.py", "train.py", "eval.py"]
    dp, end = training_options(calls)
    assert (dp.from_json, end.from_json) == ("configs/quickstart_dp.json", "configs/quickstart_end.json")
    assert (dp.stage, dp.num_epochs_dp, dp.lr, end.stage, end.num_epochs_end) == ("dp", 4, 1e-3, "end", 5)
    assert (dp.name, dp.ckpt_dir, dp.log_dir) == ("quickstart_dp", f"{out}/ckpt_dp", f"{out}/logs")
    assert (end.name, end.ckpt_dir, end.log_dir) == ("quickstart_end", f"{out}/ckpt", f"{out}/logs")
    assert end.pretrained_checkpoint == f"{out}/ckpt_dp/rank0/CNet_3.ckpt"
    assert not dp.resume and not end.resume


def test_options_behind_two_dashes_win_over_the_files_of_both_stages(record, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    dp, end = training_options(record("--", "--num_epochs_dp", "1", "--lr", "0.1", "--no_augmentation", "False"))
    assert (dp.num_epochs_dp, dp.lr, dp.no_augmentation) == (1, 0.1, False)
    assert (end.num_epochs_end, end.lr, end.no_augmentation, end.stage) == (5, 0.1, False, "end")


@pytest.mark.parametrize("stage", ["dp", "end"])
def test_the_quickstart_continues_a_stage_that_has_a_saved_state_unless_it_is_told_fresh(record, tmp_path, stage):
    folder = tmp_path / "out" / {"dp": "ckpt_dp", "end": "ckpt"}[stage] / "rank0"
    folder.mkdir(parents=True)
    (folder / "state_0_000000100.ckpt").touch()
    resumed = [words[words.index("--stage") + 1] for words in record() if "--resume" in words]
    assert resumed == [stage]
    assert not any("--resume" in words for words in record("--fresh"))
    assert list(tmp_path.glob(f"out/before_*/{folder.parent.name}/rank0/state_0_000000100.ckpt"))


@pytest.mark.slow
@pytest.mark.chain
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
