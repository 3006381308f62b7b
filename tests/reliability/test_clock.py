"""Clocks can be set back, by hand or by servers. A run uses them for the dates in its log only."""

import os
import time

from mindspore import nn

import utils.environment  # noqa: F401, I001  before MindSpore
from datasets.preprocess import up_3d
from tests.helpers.tiny_up3d import write_data
from training.guards import StopRequests
from training.ranks import Ranks
from utils import config
from utils.checkpoints import checkpoint

DAY = 86400


def date(path, seconds: float) -> None:
    """Date a file `seconds` from now."""
    os.utime(path, (time.time() + seconds,) * 2)


def test_the_newest_weights_are_of_the_last_epoch_though_the_clock_was_set_back(tmp_path):
    network = nn.Dense(2, 2)
    for epoch in (1, 2, 10):
        path = tmp_path / f"dmr_{epoch}.ckpt"
        checkpoint.save_weights(network, path)
        assert checkpoint.newest(tmp_path, "dmr") == path
        date(path, DAY / epoch)  # the clock goes back by hours after each of them


def test_the_time_granted_to_a_run_passes_though_the_clock_goes_back(monkeypatch):
    stop = StopRequests(Ranks(), time_to_run=0.01)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    time.sleep(0.02)
    assert stop.pending(0).exit_code == 0


def test_samples_from_the_future_are_made_again_and_never_taken_for_unchanged(tmp_path, monkeypatch):
    write_data(tmp_path, 3)
    monkeypatch.setattr(config, "_root", tmp_path)
    data_set = up_3d.Up3D()
    data_set.make_split("train", 1)
    date(tmp_path / "up-3d/00001_image.png", DAY)
    for _ in range(2):
        summary = data_set.make_split("train", 1)
        assert (summary.done, summary.kept) == (1, 1)
