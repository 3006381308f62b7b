"""The learning rate of every step: schedules and warm-up."""

import pytest

from training.learning_rate import learning_rate
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
