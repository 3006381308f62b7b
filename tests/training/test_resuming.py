"""Where a resumed run goes on: the same run anywhere, another batch or number of ranks at the end of an epoch."""

import utils.environment  # noqa: F401, I001  before MindSpore

import threading

import numpy as np
import pytest
from mindspore import nn

from training.ranks import Ranks, folder_of_rank_0
from training.resuming import find_state
from utils.errors import UserError
from training.saved_states import Position, SavedStates
from utils.train_options import TrainOptions

SAMPLES = 24


class Together:
    """What ranks in threads of one process say to each other."""

    def __init__(self, size: int):
        self.said: list = [None] * size
        self.barrier = threading.Barrier(size, timeout=30)


class ThreadRanks(Ranks):
    def __init__(self, rank: int, together: Together):
        super().__init__()
        self.rank, self.size, self.together = rank, len(together.said), together

    def all(self, values):
        self.together.said[self.rank] = np.asarray(values, np.float32)
        self.together.barrier.wait()
        found = np.stack(self.together.said)
        self.together.barrier.wait()
        return found


def on_ranks(size: int, work) -> list:
    """work(ranks) on every rank at once: what each returned or raised."""
    together, results = Together(size), [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadRanks(rank, together))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def make_options(*words):
    return TrainOptions().parse_args([*map(str, words), "--resume"])


def save(folder, stage: int, step: int, options, ranks: int = 1, samples: int = SAMPLES) -> None:
    """A state of a training of `ranks` ranks after `step` steps."""
    steps = samples // (options.batch_size * options.accumulate * ranks)
    record = {
        "options": vars(options),
        "ranks": ranks,
        "samples": samples,
        "epoch": step // steps,
        "batch": step % steps,
    }
    SavedStates(folder, 9, resumed=True).save(Position(stage, step), nn.Dense(1, 1), record)


def find(folder, options, ranks=None, said=None, samples: int = SAMPLES):
    ranks = ranks or Ranks()
    steps = samples // (options.batch_size * options.accumulate * ranks.size)
    say = (said if said is not None else []).append
    return find_state(SavedStates(folder, 3, resumed=True), options, ranks, steps, samples, say)


def test_the_same_run_goes_on_at_its_step(tmp_path):
    options = make_options("--batch_size", 4)
    save(tmp_path, 1, 5, options)
    found = find(tmp_path, options)
    assert found.saved == found.position == (1, 5) and not found.is_renumbered


@pytest.mark.parametrize(
    ("words", "step"), [(("--batch_size", 2), 24), (("--batch_size", 8), 6), (("--accumulate", 2), 6)]
)
def test_another_batch_goes_on_after_the_same_epoch(tmp_path, words, step):
    """Two epochs of 6 steps are done."""
    save(tmp_path, 1, 12, make_options("--batch_size", 4))
    said = []
    found = find(tmp_path, make_options("--batch_size", 4, *words), said=said)
    assert (found.saved, found.position) == ((1, 12), (1, step)) and found.is_renumbered
    assert len(said) == 1 and said[0].endswith("going on after epoch 2 of stage end")


def test_another_batch_within_an_epoch_is_refused_and_the_next_border_named(tmp_path):
    save(tmp_path, 0, 13, make_options("--batch_size", 4))
    message = (
        r"--batch_size 4 \(now 8\), and stands within epoch 3 of stage dp.*"
        r"train to it as before with --stage dp --num_epochs_dp 3, then resume with the new values"
    )
    with pytest.raises(UserError, match=message):
        find(tmp_path, make_options("--batch_size", 8))


@pytest.mark.parametrize(
    ("words", "stage", "message"),
    [
        (("--seed", 1), 0, r"--seed 0 \(now 1\)"),
        (("--num_epochs_dp", 4), 1, r"--num_epochs_dp 5 \(now 4\)"),
        (("--dataset", "surreal"), 0, r"--dataset up-3d \(now surreal\)"),
    ],
)
def test_a_run_that_learns_something_else_is_refused(tmp_path, words, stage, message):
    save(tmp_path, stage, 16, make_options())
    with pytest.raises(UserError, match=rf"the saved run had {message}\. Give the same, or start anew with --fresh"):
        find(tmp_path, make_options(*words))


def test_more_epochs_of_stage_dp_are_a_run_that_goes_on_while_it_is_trained(tmp_path):
    save(tmp_path, 0, 1, make_options())
    assert find(tmp_path, make_options("--num_epochs_dp", 9)).position == (0, 1)


def test_another_training_list_is_refused(tmp_path):
    save(tmp_path, 0, 1, make_options())
    with pytest.raises(UserError, match=r"24 training samples \(now 32\)"):
        find(tmp_path, make_options(), samples=32)


def test_two_ranks_go_on_from_the_newest_state_that_both_have(tmp_path):
    options = make_options("--batch_size", 2)
    for rank, steps in enumerate([(2, 3), (2, 3, 4)]):
        for step in steps:
            save(tmp_path / f"rank{rank}", 0, step, options, ranks=2)
    found = on_ranks(2, lambda ranks: find(tmp_path / f"rank{ranks.rank}", options, ranks))
    assert [entry.position for entry in found] == [(0, 3)] * 2


def test_more_ranks_take_the_state_of_rank_0_at_the_end_of_an_epoch(tmp_path):
    """One rank trained 2 epochs of 6 steps; of an earlier time with two ranks there is a later state in rank1."""
    options = make_options("--batch_size", 4)
    save(tmp_path / "rank0", 1, 12, options)
    save(tmp_path / "rank1", 1, 15, options, ranks=2)
    found = on_ranks(2, lambda ranks: find(tmp_path / f"rank{ranks.rank}", options, ranks))
    assert [(entry.saved, entry.position) for entry in found] == [((1, 12), (1, 6))] * 2


def test_fewer_ranks_go_on_at_the_end_of_an_epoch_and_nowhere_else(tmp_path):
    options = make_options("--batch_size", 4)
    save(tmp_path / "rank0", 1, 6, options, ranks=2)
    assert find(tmp_path / "rank0", options).position == (1, 12)
    save(tmp_path / "rank0", 1, 7, options, ranks=2)
    with pytest.raises(
        UserError, match=r"2 ranks \(now 1\), and stands within epoch 3 of stage end.*--num_epochs_end 3"
    ):
        find(tmp_path / "rank0", options)


def test_all_ranks_hear_of_it_when_one_does_not_see_rank_0(tmp_path):
    """As on several machines without a common folder."""
    options = make_options("--batch_size", 4)
    save(tmp_path / "here/rank0", 1, 6, options)
    places = [tmp_path / "here/rank0", tmp_path / "there/rank1"]
    found = on_ranks(2, lambda ranks: find(places[ranks.rank], options, ranks))
    assert all(isinstance(error, UserError) and "Let all of them see --ckpt_dir" in str(error) for error in found)


def test_without_a_state_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(UserError, match="there is no saved state in"):
        find(tmp_path, make_options())


def test_the_first_state_in_another_numbering_stands_alone(tmp_path):
    """Older ones may have larger numbers, and would be taken for newer ones."""
    options = make_options("--batch_size", 4)
    for step in (10, 11, 12):
        save(tmp_path, 1, step, options)
    states = SavedStates(tmp_path, 3, resumed=True)
    states.save(Position(1, 6), nn.Dense(1, 1), {}, alone=True)
    assert states.positions() == [(1, 6)]
    assert len(list(tmp_path.glob("*.discarded"))) == 3


def test_ranks_put_lists_of_any_length_together():
    numbers = [[2**39 + 1], [], [5, 2**33]]
    assert on_ranks(3, lambda ranks: ranks.gather_all(numbers[ranks.rank])) == [[2**39 + 1, 5, 2**33]] * 3
    assert on_ranks(2, lambda ranks: ranks.gather_all([])) == [[], []]
    assert Ranks().gather_all([7, 8]) == [7, 8]


def test_a_rank_starts_from_rank_0_where_it_sees_it(tmp_path):
    assert folder_of_rank_0(tmp_path / "rank3") == tmp_path / "rank3"
    (tmp_path / "rank0").mkdir()
    assert folder_of_rank_0(tmp_path / "rank3") == tmp_path / "rank0"
