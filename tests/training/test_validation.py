"""The held-out part of the training list."""

import utils.environment  # noqa: F401, I001  before MindSpore

from types import SimpleNamespace

import numpy as np
import pytest

from training.validation import Subset, split
from utils.errors import UserError


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
