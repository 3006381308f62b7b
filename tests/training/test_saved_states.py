"""Saved states: what they hold, which are kept, and what happens to damaged ones."""

import utils.environment  # noqa: F401, I001  before MindSpore

import json
import random

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from models.training_step import TrainingStep
from utils.checkpoints import checkpoint, checksums
from utils.train_options import TrainOptions
from training.saved_states import Position, SavedStates, make_record, random_states, restore_random_states


class Loss(nn.Cell):
    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(3, 4)
        self.norm = nn.BatchNorm1d(4)

    def construct(self, values):
        total = (self.norm(self.dense(values)) ** 3).mean()
        return total, total


def training_step() -> TrainingStep:
    network = Loss()
    return TrainingStep(network, nn.Adam(network.trainable_params(), 0.01)).set_train(True)


def values(seed=0) -> ms.Tensor:
    return ms.Tensor(np.random.default_rng(seed).normal(size=(4, 3)), ms.float32)


def parameters(cell) -> dict:
    return {name: parameter.asnumpy().copy() for name, parameter in cell.parameters_and_names()}


@pytest.fixture
def filled(tmp_path):
    """A folder with the states of steps 2, 4 and 6."""
    states, step = SavedStates(tmp_path, 3, resumed=False), training_step()
    for number in (2, 4, 6):
        states.save(Position(0, number), step, {"number": number})
    return states


def test_a_restored_step_goes_on_like_the_one_that_was_saved(tmp_path):
    step, other = training_step(), training_step()
    for seed in range(2):
        step(values(seed))
    states = SavedStates(tmp_path, 1, resumed=False)
    states.save(Position(1, 2), step, {"epoch": 2, "options": {"name": "ä", "lr": 1e-3}})
    saved, record = SavedStates(tmp_path, 1, resumed=True).read(Position(1, 2))
    assert record == {"epoch": 2, "options": {"name": "ä", "lr": 1e-3}}
    checkpoint.assign(checkpoint.named_parameters(other), saved, "a state")
    assert float(step(values(2))[0]) == float(other(values(2))[0])
    found, expected = parameters(other), parameters(step)  # weights, statistics, moments and counters
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)


def test_the_last_ones_are_kept(filled, tmp_path):
    filled.save(Position(1, 1), training_step(), {})  # the next stage follows on the one before
    assert filled.positions() == [(1, 1), (0, 6), (0, 4)]
    sums = {path.name.removesuffix(".sha256") for path in tmp_path.glob("*.sha256")}
    assert sums == {path.name for path in tmp_path.glob("*.ckpt")}


def test_states_of_another_run_are_not_a_new_run_s_to_remove(filled, tmp_path):
    """For example the states of stage dp when stage end is trained alone."""
    new = SavedStates(tmp_path, 1, resumed=False)
    for number in (1, 2):
        new.save(Position(1, number), training_step(), {})
    assert filled.positions() == [(1, 2), (0, 6), (0, 4), (0, 2)]


def test_the_first_state_in_another_numbering_stands_alone(filled, tmp_path):
    """Older ones may have larger numbers, and would be taken for newer ones."""
    states = SavedStates(tmp_path, 3, resumed=True)
    states.save(Position(0, 3), training_step(), {}, alone=True)
    assert states.positions() == [(0, 3)]
    assert len(list(tmp_path.glob("*.discarded"))) == 3


def test_the_record_tells_where_the_run_is_and_survives_as_json():
    options = TrainOptions().parse_args(["--seed", "3"])
    record = make_record(
        options, ranks=2, samples=24, step=13, steps_per_epoch=6, best={"dp": {"step": 6, "value": 1.5}}
    )
    again = json.loads(json.dumps(record))
    assert (again["epoch"], again["batch"]) == (2, 1)
    assert (again["ranks"], again["samples"]) == (2, 24)
    assert again["options"] == vars(options) and again["best"] == record["best"]
    restore_random_states(again["random"])


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def truncate_without_sum(path):
    truncate(path)
    checksums.sum_file(path).unlink()


@pytest.mark.parametrize("damage", [truncate, flip, truncate_without_sum])
def test_a_damaged_newest_state_falls_back_to_the_one_before_and_says_so(filled, damage):
    damage(filled.path(Position(0, 6)))
    said = []
    assert filled.newest_sound(None, said.append).position == (0, 4)
    assert len(said) == 1
    assert "state_0_000000006.ckpt" in said[0]
    assert "Going back to the state before" in said[0]


def test_a_state_that_another_rank_lacks_is_passed_over(filled):
    assert filled.newest_sound(Position(0, 5), print).position == (0, 4)


def test_without_a_sound_state_there_is_none(filled):
    for position in filled.positions():
        flip(filled.path(position))
    assert filled.newest_sound(None, lambda line: None) is None


def test_states_after_the_one_resumed_are_set_aside(filled, tmp_path):
    filled.discard([Position(0, 6), Position(0, 4)])
    assert filled.positions() == [(0, 2)]
    assert len(list(tmp_path.glob("*.discarded"))) == 2


def test_positions_are_in_the_order_of_a_run_also_as_numbers():
    run = [Position(0, 9), Position(0, 10), Position(1, 0), Position(1, 20_000_000)]
    shuffled = [run[index] for index in (2, 0, 3, 1)]
    assert sorted(shuffled) == run
    assert sorted(shuffled, key=lambda position: position.key) == run
    assert [Position.of_key(position.key) for position in run] == run


def test_random_generators_go_on_where_they_were():
    random.seed(1), np.random.seed(2)
    np.random.normal()  # leaves half of a pair behind
    states = random_states()
    drawn = random.random(), np.random.normal(size=3)
    random.seed(5), np.random.seed(6)
    restore_random_states(states)
    assert random.random() == drawn[0]
    np.testing.assert_array_equal(np.random.normal(size=3), drawn[1])


def test_what_a_killed_process_left_unfinished_is_removed(tmp_path):
    for name in (".state_0_000000007.ab12.ckpt", ".dmr_2.cd34.tmp", "dmr_2.ckpt", ".lock"):
        (tmp_path / name).touch()
    checksums.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"dmr_2.ckpt", ".lock"}
