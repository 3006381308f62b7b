"""Whole runs of the entry scripts: at full size, stage by stage, stopped and resumed, from the shell scripts."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import utils.environment  # noqa: F401  before MindSpore
from tests.conftest import NUM_TEST, NUM_TRAIN, REPOSITORY, run_script
from tests.program.test_command_lines import linked_copy
from utils.checkpoints.checkpoint import read_checkpoint

pytestmark = pytest.mark.slow

BATCH_SIZE = 6
STEPS = NUM_TRAIN // BATCH_SIZE  # per epoch
SMALL = ["--img_res", 64, "--lnet_width", 0.125, "--num_workers", 1, "--mode", "pynative", "--log_freq", 1]
EPOCHS = ["--num_epochs_dp", 1, "--num_epochs_end", 1, "--batch_size", BATCH_SIZE]


def train(root: Path, folder: Path, *words, check=True) -> subprocess.CompletedProcess:
    """Run train.py with small networks; everything that it writes is below `folder`."""
    places = ["--ckpt_dir", folder / "ckpt", "--log_dir", folder / "logs", "--name", "run"]
    return run_script("train.py", *SMALL, *EPOCHS, *places, *words, data_dir=root, check=check)


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "logs/run/metrics.jsonl").read_text().splitlines()]


def weights(folder: Path, name: str) -> dict:
    return {key: value.asnumpy() for key, value in read_checkpoint(folder / "ckpt/rank0" / name).items()}


def assert_same_weights(folder: Path, other: Path, name: str) -> None:
    found, expected = weights(folder, name), weights(other, name)
    assert found.keys() == expected.keys()
    different = [key for key in expected if found[key].tobytes() != expected[key].tobytes()]
    assert not different, f"{name}: {len(different)} of {len(expected)} parameters differ, first {different[0]}"


@pytest.fixture(scope="module")
def uninterrupted(generated_root, tmp_path_factory) -> Path:
    """A run of both stages, started by its shell script in a folder whose name has a space."""
    folder = tmp_path_factory.mktemp("whole run")
    result = shell_script(
        "run_train_standalone_gpu.sh", folder, generated_root, "up-3d", 0, 1, 1, BATCH_SIZE, "../../ckpt",
        *SMALL, "--log_dir", "../../logs", "--name", "run",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    return folder


def shell_script(name: str, folder: Path, root: Path, *words) -> subprocess.CompletedProcess:
    """Run a copy of scripts/NAME below `folder`, with its own folder as the working directory, as in the original."""
    repository = folder / "a copy"
    if not repository.exists():
        repository.mkdir(parents=True)
        shutil.copytree(REPOSITORY / "scripts", repository / "scripts")
        for script in ("train.py", "eval.py", "utils"):
            (repository / script).symlink_to(REPOSITORY / script)
    return subprocess.run(
        ["bash", name, *map(str, words)],
        cwd=repository / "scripts",
        env=dict(os.environ, PYTHON=sys.executable, DECOMR_DATA=str(root)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


# ---- both stages ----


def test_the_launch_script_trains_both_stages_and_keeps_the_output(uninterrupted):
    checkpoints = ("CNet_1.ckpt", "dmr_1.ckpt", f"state_0_{STEPS:09d}.ckpt", f"state_1_{STEPS:09d}.ckpt")
    expected = {".lock", "config.json", *checkpoints, *(f"{name}.sha256" for name in checkpoints)}
    assert {path.name for path in (uninterrupted / "ckpt/rank0").iterdir()} == expected
    log = (uninterrupted / "a copy/scripts/train_standalone.log").read_text()
    assert "device CPU (" in log
    assert f"data set up-3d: {NUM_TRAIN} training samples" in log
    found = metrics(uninterrupted)
    assert [(entry["stage"], entry["step"]) for entry in found] == [
        (stage, step + 1) for stage in ("dp", "end") for step in range(STEPS)
    ]
    for entry in found:
        terms = [value for name, value in entry["losses"].items() if name != "total"]
        assert entry["losses"]["total"] == pytest.approx(sum(terms), rel=1e-5)


def test_one_stage_after_the_other_is_the_same_run_bit_by_bit(uninterrupted, generated_root, tmp_path):
    """This also shows that the seed determines a run, because everything is computed a second time."""
    train(generated_root, tmp_path, "--stage", "dp")
    assert not (tmp_path / "ckpt/rank0/dmr_1.ckpt").exists()
    assert_same_weights(tmp_path, uninterrupted, "CNet_1.ckpt")
    # a younger file of an earlier epoch must not be preferred
    (tmp_path / "ckpt/rank0/CNet_0.ckpt").write_bytes(b"not a checkpoint")
    result = train(generated_root, tmp_path, "--stage", "end")
    assert "CNet starts from" in result.stderr and "CNet_1.ckpt" in result.stderr
    assert_same_weights(tmp_path, uninterrupted, "dmr_1.ckpt")


def signal_when(ready, number: signal.Signals, root: Path, folder: Path, *words) -> tuple[int, str]:
    """Start train.py and send it the signal `number` once `ready()` is true; returns exit code and output."""
    places = ["--ckpt_dir", folder / "ckpt", "--log_dir", folder / "logs", "--name", "run"]
    command = [sys.executable, "train.py", *SMALL, *EPOCHS, *places, *words]
    process = subprocess.Popen(
        [str(word) for word in command], cwd=REPOSITORY, env=dict(os.environ, DECOMR_DATA=str(root)),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None:
        if ready():
            process.send_signal(number)
            break
        time.sleep(0.01)
    return process.wait(), process.stderr.read()


def test_a_run_killed_stopped_and_damaged_ends_where_the_uninterrupted_one_does(
    uninterrupted, generated_root, tmp_path
):
    """It is killed in stage dp, stopped between the stages and by a signal in stage end; its newest state is cut."""
    folder = tmp_path / "ckpt/rank0"
    first = folder / "state_0_000000001.ckpt.sha256"
    code, _ = signal_when(first.exists, signal.SIGKILL, generated_root, tmp_path, "--checkpoint_steps", 1)
    assert code == -signal.SIGKILL
    result = train(generated_root, tmp_path, "--resume", "--checkpoint_steps", 1, "--time_to_run", 0.001)
    assert "--time_to_run: stopped after 0.001 s, state saved; go on with --resume" in result.stderr
    assert_same_weights(tmp_path, uninterrupted, "CNet_1.ckpt")

    log = tmp_path / "logs/run/metrics.jsonl"
    code, output = signal_when(
        lambda: '"stage": "end"' in log.read_text(), signal.SIGTERM, generated_root, tmp_path, "--resume"
    )
    assert code == 128 + signal.SIGTERM, output
    assert "SIGTERM: stopped, state saved; go on with --resume" in output
    newest = max(folder.glob("state_1_*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    result = train(generated_root, tmp_path, "--resume")
    assert f"{newest.name} is damaged" in result.stderr
    assert f"resumed {folder}/state_0_" in result.stderr
    assert_same_weights(tmp_path, uninterrupted, "dmr_1.ckpt")
    assert [(entry["stage"], entry["step"]) for entry in metrics(tmp_path)][-STEPS:] == [
        ("end", step + 1) for step in range(STEPS)
    ]


def test_another_batch_size_goes_on_after_an_epoch_and_an_earlier_run_is_moved_aside(generated_root, tmp_path):
    """An epoch of two steps becomes one of three; then another run starts in the same folder."""
    dp = ["--stage", "dp", "--log_freq", 1]
    train(generated_root, tmp_path, *dp)
    refused = train(generated_root, tmp_path, *dp, check=False)
    assert refused.returncode == 2 and "continue it with --resume, start anew with --fresh" in refused.stderr
    folder = tmp_path / "ckpt/rank0"
    first = weights(tmp_path, "CNet_1.ckpt")
    (folder / "CNet_1.ckpt").unlink()  # as if the run had been killed between its state and the weights
    result = train(generated_root, tmp_path, *dp, "--batch_size", 4, "--num_epochs_dp", 2, "--resume")
    assert all(np.array_equal(value, first[name]) for name, value in weights(tmp_path, "CNet_1.ckpt").items())
    assert f"--batch_size {BATCH_SIZE} (now 4); going on after epoch 1 of stage dp" in result.stderr
    steps = [(entry["step"], entry.get("epoch")) for entry in metrics(tmp_path)]
    assert steps == [(1, 1), (2, 1), (3, None), (4, 2), (5, 2), (6, 2)]
    weights_before = (folder / "CNet_2.ckpt").read_bytes()

    train(generated_root, tmp_path, *dp, "--fresh")
    (aside,) = folder.glob("before_*")
    assert (aside / "CNet_2.ckpt").read_bytes() == weights_before
    assert not (folder / "CNet_2.ckpt").exists() and (folder / "CNet_1.ckpt").exists()
    assert [entry["step"] for entry in metrics(tmp_path)] == [1, 2]


def test_validation_chooses_weights_on_samples_that_training_never_sees(generated_root, tmp_path):
    words = ["--batch_size", 4, "--val_share", 0.3, "--test_steps", 1, "--summary_steps", 1, "--accumulate", 1]
    result = train(generated_root, tmp_path, *words)
    found = [entry for entry in metrics(tmp_path) if "validation" in entry]
    assert [(entry["stage"], entry["step"]) for entry in found] == [("dp", 1), ("dp", 2), ("end", 1), ("end", 2)]
    for entry in found[2:]:
        terms = entry["validation"]
        assert terms["shape_error"] > 0
        losses = [value for name, value in terms.items() if name not in ("total", "shape_error", "mpjpe", "pa_mpjpe")]
        assert terms["total"] == pytest.approx(sum(losses), rel=1e-4)
    best = min(found[2:], key=lambda entry: entry["validation"]["shape_error"])
    assert (
        f"step {best['step']}" in [line for line in result.stderr.splitlines() if line.endswith("the best so far")][-1]
    )
    assert set(weights(tmp_path, "dmr_best.ckpt")) == set(weights(tmp_path, "dmr_1.ckpt"))
    images = EventAccumulator(str(tmp_path / "logs/run/end"))
    images.Reload()
    assert [event.step for event in images.Images("networks")] == [1, 2]
    assert "validation/shape_error" in images.Tags()["scalars"]


# ---- evaluation ----


@pytest.fixture(scope="module")
def evaluated(uninterrupted, generated_root) -> str:
    """The output of run_eval.sh on the run above."""
    result = shell_script(
        "run_eval.sh", uninterrupted, generated_root, "up-3d", NUM_TEST - 1, "--eval_dir", "../../ckpt/rank0",
        "--save_root", "../../results", "--num_vis", 2, "--num_workers", 1, "--mode", "pynative",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_evaluation_reports_every_image_and_keeps_the_output(evaluated, uninterrupted, generated_root):
    assert (uninterrupted / "a copy/scripts/eval.log").read_text() == evaluated
    assert "*** Final Results ***" in evaluated
    found = json.loads((uninterrupted / "results/up-3d.json").read_text())
    assert len(found["images"]) == NUM_TEST == len({image["imgname"] for image in found["images"]})
    for title, name in (("Shape Error", "shape_error"), ("MPJPE", "mpjpe"), ("PA-MPJPE", "pa_mpjpe")):
        printed = float(re.search(rf"^{title}: (\S+) mm", evaluated, re.MULTILINE).group(1))
        assert printed == pytest.approx(found["mean"][name], abs=0.005)
        assert found["mean"][name] == pytest.approx(np.mean([image[name] for image in found["images"]]), abs=1e-3)
    assert found["checkpoint"].endswith("dmr_1.ckpt")


def test_evaluation_draws_a_row_for_every_picture_asked_for(evaluated, uninterrupted):
    sheet = cv2.imread(str(uninterrupted / "results/up-3d_contact_sheet.png"))
    assert sheet.shape[0] > 2 * 224
    assert sheet.shape[1] > 5 * 224


def test_the_batch_size_of_an_evaluation_changes_nothing(evaluated, uninterrupted, generated_root, tmp_path):
    """Batches of 3, the last of which was filled up, against one batch of 16, which is more than there are images."""
    run_script(
        "eval.py", "--batch_size", 16, "--checkpoint", uninterrupted / "ckpt/rank0/dmr_1.ckpt", "--num_workers", 1,
        "--mode", "pynative", "--save_root", tmp_path, data_dir=generated_root,
    )  # fmt: skip
    first, second = (
        json.loads((folder / "up-3d.json").read_text()) for folder in (uninterrupted / "results", tmp_path)
    )
    for image, other in zip(first["images"], second["images"], strict=True):
        assert image["imgname"] == other["imgname"]
        assert image["mask_iou"] == pytest.approx(other["mask_iou"], abs=1e-6)
        assert image["uv_error"] == pytest.approx(other["uv_error"], abs=1e-6)
        # after two steps the thin LNet normalises channels that hardly vary. oneDNN adds in another order for another
        # batch, so the CNet's outputs differ by 3e-7, and that moves the location map by 0.06 mm
        assert image["shape_error"] == pytest.approx(other["shape_error"], rel=1e-4)


@pytest.mark.parametrize(
    "words", [["run_eval.sh", "up-3d", 4], ["run_train_standalone_gpu.sh", "up3d", 0, 1, 1, 4, "c"]]
)
def test_launch_scripts_return_the_exit_code(words, tmp_path):
    result = shell_script(words[0], tmp_path, tmp_path, *words[1:])
    assert result.returncode == 2
    assert "error: " in result.stdout
    assert shell_script(words[0], tmp_path, tmp_path).stdout.startswith("usage: bash ")


# ---- full size ----


def test_the_paper_s_network_trains_and_is_evaluated(generated_root, tmp_path):
    """Default sizes and the default mode: two steps of each stage, then the error of every test image."""
    root = linked_copy(generated_root, tmp_path / "data")
    path = root / "DATASET_NPZ_PATH" / "up_3d_trainval.npz"
    table = {name: column[:4] for name, column in np.load(path).items()}
    path.unlink()
    np.savez(path, **table)
    words = ["--batch_size", 2, "--num_workers", 1]
    run_script(
        "train.py", *words, "--num_epochs_dp", 1, "--num_epochs_end", 1, "--log_freq", 1, "--name", "run",
        "--ckpt_dir", tmp_path / "ckpt", "--log_dir", tmp_path / "logs", data_dir=root,
    )  # fmt: skip
    assert [(entry["stage"], entry["step"]) for entry in metrics(tmp_path)] == [
        ("dp", 1), ("dp", 2), ("end", 1), ("end", 2),
    ]  # fmt: skip
    assert all(np.isfinite(list(entry["losses"].values())).all() for entry in metrics(tmp_path))
    sizes = [value.size for name, value in weights(tmp_path, "dmr_1.ckpt").items() if "moving_" not in name]
    assert sum(sizes) == pytest.approx((31.46 + 30.56) * 1e6, rel=1e-3)  # CNet without fc, and LNet

    run_script("eval.py", *words, "--eval_dir", tmp_path / "ckpt/rank0", "--save_root", tmp_path, data_dir=root)
    found = json.loads((tmp_path / "up-3d.json").read_text())
    assert len(found["images"]) == NUM_TEST
    assert all(np.isfinite(image["shape_error"]) for image in found["images"])
