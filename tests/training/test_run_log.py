"""The log of a run: JSON lines, TensorBoard files, pictures and progress, on rank 0 only."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.run_log import RunLog, StageMeter
from utils.errors import UserError


@pytest.fixture
def options(tmp_path):
    return SimpleNamespace(log_dir=tmp_path / "logs", name="a run", log_freq=3)


def run_steps(options, first: int, last: int, is_main: bool = True, total: int = 7) -> None:
    with RunLog(options, is_main) as log:
        log.start_stage("dp", first)
        meter = StageMeter(log, "dp", total, first, samples_per_step=4)
        for step in range(first + 1, last + 1):
            losses = {"total": float(step), "dp_uv": 0.25}
            meter.step(step, 1, waited=0.5, worked=1.5, losses=lambda found=losses: found, lr=1e-3)
        meter.close()


def entries(options) -> list[dict]:
    lines = (options.log_dir / options.name / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_there_is_a_line_every_log_freq_steps_and_at_the_end(options):
    run_steps(options, 0, 7)
    assert [entry["step"] for entry in entries(options)] == [3, 6, 7]


def test_a_line_holds_losses_by_name_rate_waiting_and_time_left(options):
    run_steps(options, 0, 3)
    entry = entries(options)[0]
    assert entry["losses"] == {"total": 3.0, "dp_uv": 0.25}
    assert (entry["stage"], entry["epoch"], entry["lr"]) == ("dp", 1, 1e-3)
    assert entry["samples_per_s"] == 2.0  # 4 samples in 2 s
    assert entry["data_wait_share"] == 0.25
    assert entry["eta_s"] == 8.0  # 4 more steps of 2 s


def test_a_resumed_run_goes_on_in_the_same_file_with_its_own_speed(options):
    run_steps(options, 0, 3)
    run_steps(options, 3, 7)
    assert [entry["step"] for entry in entries(options)] == [3, 6, 7]
    assert {entry["samples_per_s"] for entry in entries(options)} == {2.0}


def test_other_ranks_write_nothing(options, capfd):
    run_steps(options, 0, 7, is_main=False)
    with RunLog(options, is_main=False) as log:
        log.say("not heard")
        log.picture("dp", "none", 1, np.zeros((4, 4, 3), np.uint8))
    assert not options.log_dir.exists()
    assert "not heard" not in capfd.readouterr().err


def test_what_a_killed_run_wrote_after_its_last_state_is_written_once(options):
    run_steps(options, 0, 6)
    with open(options.log_dir / options.name / "metrics.jsonl", "a") as metrics:
        metrics.write('{"stage": "dp", "st')  # killed while it wrote
    run_steps(options, 4, 7)
    assert [entry["step"] for entry in entries(options)] == [3, 6, 7]


def test_progress_in_a_file_is_plain_lines(options, capfd):
    run_steps(options, 0, 7)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "dp epoch 1 step 3/7: total 3.000 dp_uv 0.250; 2.00 samples/s, 0:00:08 left"
    assert len(lines) == 3


def board(options, stage: str = "dp") -> EventAccumulator:
    """What TensorBoard itself reads from the folder of a stage."""
    found = EventAccumulator(str(options.log_dir / options.name / stage))
    found.Reload()
    return found


def test_tensorboard_reads_a_curve_for_every_loss(options):
    run_steps(options, 0, 7)
    assert [(event.step, event.value) for event in board(options).Scalars("loss/total")] == [(3, 3), (6, 6), (7, 7)]
    assert {"loss/dp_uv", "run/lr", "run/samples_per_s"} <= set(board(options).Tags()["scalars"])


def test_tensorboard_forgets_steps_that_a_resumed_run_does_again(options):
    run_steps(options, 0, 6)
    run_steps(options, 4, 7)
    assert [event.step for event in board(options).Scalars("loss/total")] == [3, 6, 7]


def test_values_that_are_not_finite_make_no_noise_in_the_terminal(options, capfd):
    with RunLog(options) as log:
        log.start_stage("dp", 0)
        log.scalars("loss", {"total": float("nan"), "uv": 1.0}, 1)
    assert capfd.readouterr() == ("", "")
    assert board(options).Tags()["scalars"] == ["loss/uv"]


def test_pictures_keep_their_colours(options):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    with RunLog(options) as log:
        log.start_stage("dp", 0)
        log.picture("dp", "red", 5, red)
    assert cv2.imread(str(options.log_dir / "a run" / "dp_red_0000005.png"))[0, 0].tolist() == [0, 0, 255]
    (event,) = board(options).Images("red")
    decoded = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert (event.step, decoded[0, 0].tolist()) == (5, [0, 0, 255])


def test_a_log_folder_that_cannot_be_written_is_named(options, tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(UserError, match="cannot write to the folder .*logs"), RunLog(options):
        pass
