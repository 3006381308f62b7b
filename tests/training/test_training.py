"""The engine's parts: learning rates, the held-out part, agreement, requests to stop, and bad numbers."""

import utils.environment  # noqa: F401, I001  before MindSpore

import os
import re
import signal
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest

from models.training_step import Status
from training.health import Health
from training.held_out import Subset, split
from training.learning_rate import learning_rate
from training.ranks import Ranks
from training.stopping import NEWS, StopRequests
from utils import device
from utils.errors import UserError
from utils.train_options import TrainOptions


def rates(*words, epochs=4, steps=2) -> list[float]:
    options = TrainOptions().parse_args(["--lr", "0.4", *map(str, words)])
    return [learning_rate(options, step, steps, epochs) for step in range(epochs * steps)]


def test_the_rate_stays_or_falls_linearly_from_epoch_to_epoch():
    assert rates() == [0.4] * 8
    assert rates("--lr_schedule", "linear") == pytest.approx([0.4, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1])


def test_the_rate_drops_by_gamma_every_so_many_epochs():
    words = ["--lr_schedule", "step", "--lr_step_epochs", 2, "--lr_gamma", 0.5]
    assert rates(*words) == pytest.approx([0.4] * 4 + [0.2] * 4)


def test_the_cosine_falls_from_step_to_step_and_is_half_way_in_the_middle():
    found = rates("--lr_schedule", "cosine")
    assert found == sorted(found, reverse=True)
    assert (found[0], found[4]) == pytest.approx((0.4, 0.2))
    assert found[2] + found[6] == pytest.approx(0.4)  # symmetric about the middle
    assert found[-1] > 0


def test_warm_up_rises_in_equal_steps():
    assert rates("--warmup", 4)[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


# ---- the held-out part ----


def test_held_out_and_training_samples_are_all_and_share_none():
    chosen, held_out = split(np.arange(100), 0.1, 4, seed=0)
    assert sorted([*chosen, *held_out]) == list(range(100))
    assert len(held_out) == 10


def test_the_held_out_part_follows_the_seed_alone_and_has_at_least_a_batch():
    first, again, other = (split(np.arange(100), 0.01, 8, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 8


def test_frames_of_one_video_stay_together():
    videos = np.repeat([f"{index}.mp4" for index in range(20)], 5)
    chosen, held_out = split(videos, 0.2, 4, seed=0)
    assert not set(videos[chosen]) & set(videos[held_out])
    assert len(held_out) >= 20


def test_a_part_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match="--val_share 0.9 of 10 training samples.*fewer than one batch of 4"):
        split(np.arange(10), 0.9, 4, seed=0)


def test_a_subset_asks_for_its_samples_by_their_own_index():
    asked = []
    dataset = SimpleNamespace(item=lambda *arguments: asked.append(arguments))
    subset = Subset(dataset, np.array([4, 7]))
    subset.item(1, 3, ("img",))
    assert (len(subset), asked) == (2, [(7, 3, ("img",))])


# ---- agreement and stopping ----


class ThreeRanks(Ranks):
    """Rank 1 of three, the others of which always say `others`."""

    def __init__(self, others):
        super().__init__()
        self.rank, self.size, self.others = 1, 3, others

    def all(self, values):
        first, last = (np.array(divmod(number, 2**20)) for number in self.others)
        return np.stack([first, values, last]).astype(np.float32)


def test_large_numbers_arrive_whole():
    numbers = [2**39 + 12345, 0, 2**24 + 1]
    assert Ranks().gather(numbers[0]) == numbers[:1]
    assert ThreeRanks([numbers[0], numbers[2]]).gather(numbers[1]) == numbers


@pytest.fixture
def interruptible():
    """SIGINT as in a terminal: shells start jobs in the background with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_is_a_request_and_a_second_one_ends_the_process_as_usual(interruptible):
    with StopRequests(Ranks()) as stop:
        assert stop.pending(0) is None
        os.kill(os.getpid(), signal.SIGINT)
        stopped = stop.pending(0)
        assert (stopped.exit_code, str(stopped)) == (130, "SIGINT: stopped")
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    with StopRequests(Ranks()) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.pending(0).exit_code == 143


def test_ranks_stop_when_all_have_heard_of_it():
    """A step carries a rank's request along; a rank that has one goes on until a step has brought it to all."""
    with StopRequests(ThreeRanks([0, 0])) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.request() == signal.SIGTERM
        assert stop.pending(0) is None
        assert stop.pending(stop.request()).exit_code == 143
    assert StopRequests(ThreeRanks([0, 0])).pending(signal.SIGTERM).exit_code == 143
    assert StopRequests(ThreeRanks([0, 0])).pending(NEWS) is None


def test_the_end_of_the_time_granted_is_no_failure():
    stop = StopRequests(Ranks(), time_to_run=0.5)
    assert stop.pending(0) is None
    stop.started -= 1
    assert stop.pending(0).exit_code == 0
    assert "--time_to_run" in str(stop.pending(0))


# ---- numbers that are not finite ----


def status(left_out: int, scale: float = 1.0) -> Status:
    return Status(left_out, scale, 0)


def bad() -> dict:
    return {"total": float("nan"), "uv": 1.0, "key2D": float("inf"), "con": float("nan")}


def fine() -> dict:
    return {"total": 1.0, "uv": 1.0, "con": 1.0}


def test_the_first_bad_loss_is_named_and_too_many_in_a_row_end_the_run():
    said = []
    health = Health(Ranks(), 3, said.append)
    for skipped in (1, 2):
        health.check(status(skipped), bad, "step 5")
    assert said[0] == "step 5: update left out, loss key2D is not finite (1 left out so far)"
    health.check(status(2), fine, "step 6")  # a good one breaks the row
    for skipped in (3, 4):
        health.check(status(skipped), bad, "step 7")
    with pytest.raises(UserError, match="step 8: 3 updates in a row were left out, loss key2D is not finite"):
        health.check(status(5), bad, "step 8")


def test_a_gradient_alone_can_be_bad_and_another_rank_s_loss_is_named_with_the_rank():
    said = []
    Health(Ranks(), 3, said.append).check(status(1), fine, "step 1")
    assert "the losses are finite but a gradient is not" in said[0]
    Health(ThreeRanks([2, 1]), 3, said.append).check(status(1), fine, "step 1")
    assert "loss con is not finite on rank 2" in said[1]


def test_overflows_while_the_loss_scale_is_searched_do_not_end_a_run():
    health = Health(Ranks(), 1, lambda line: None)
    health.start(SimpleNamespace(skipped=ms.Tensor(0), loss_scaling=True))
    for skipped in range(1, 10):
        health.check(status(skipped, scale=2.0**10), bad, "step 1")
    with pytest.raises(UserError):
        health.check(status(10, scale=1.0), bad, "step 1")


# ---- what a GPU needs ----


@pytest.mark.parametrize(
    ("present", "home", "message"),
    [
        (set(), "", "there is no NVIDIA driver"),
        ({"libcuda.so.1"}, "", r"no libcudart.so.11.0, .*pip install -r requirements-gpu.txt"),
        ({"libcuda.so.1", *device.CUDA_LIBRARIES}, "", "CUDA_HOME is not set"),
        (
            {"libcuda.so.1", *device.CUDA_LIBRARIES},
            "/nowhere",
            "CUDA_HOME=/nowhere has no bin/nvcc that says its release",
        ),
        (
            {"libcuda.so.1", *device.CUDA_LIBRARIES},
            "12.4",
            "has CUDA 12.4, MindSpore's GPU part needs CUDA 11.6 to 11.8",
        ),
        ({"libcuda.so.1", *device.CUDA_LIBRARIES}, "11.8", "does not start"),
    ],
)
def test_the_first_thing_that_a_gpu_lacks_is_named_in_one_line(monkeypatch, tmp_path, present, home, message):
    monkeypatch.setattr(device, "_loads", lambda name: name in present)
    monkeypatch.setattr(device.glob, "glob", lambda pattern: ["/dev/nvidia0"])
    if home[:1].isdigit():
        nvcc = tmp_path / "bin/nvcc"
        nvcc.parent.mkdir()
        nvcc.write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {home}, V{home}.1"\n')
        nvcc.chmod(0o755)
        home = str(tmp_path)
    monkeypatch.setenv("CUDA_HOME", home)
    monkeypatch.setattr(device.ms.hal, "is_available", lambda target: False)
    with pytest.raises(UserError, match=rf"^--device_target GPU: [^\n]*{message}[^\n]*use --device_target CPU\.$"):
        device.choose_target("GPU")
    target, reason = device.choose_target("auto")
    assert target == "CPU"
    assert re.search(rf"^a GPU is there, but [^\n]*{message}", reason)
