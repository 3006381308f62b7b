"""Files of an earlier training: refused, moved aside, or continued at the right step; nothing is lost."""

import utils.environment  # noqa: F401, I001  before MindSpore

import re

import pytest
from mindspore import nn

from tests.helpers.thread_ranks import on_ranks
from training.ranks import Ranks
from training.resuming import find_state, protect_earlier_run, say_changes
from training.saved_states import Position, SavedStates, make_record
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.train_options import TrainOptions

SAMPLES = 24
LEFT = (
    "state_0_000000004.ckpt", "state_1_000000008.ckpt", "state_1_000000009.ckpt.discarded", "CNet_1.ckpt",
    "CNet_best.ckpt", "dmr_2.ckpt", "dmr_2.ckpt.sha256", "config.json",
)  # fmt: skip
OTHERS = (".lock", "notes.txt", "my_dmr_2.ckpt")


@pytest.fixture
def folder(tmp_path):
    """rank0 of a training of both stages, its log, and files of the user's own."""
    folder = tmp_path / "ckpt/rank0"
    folder.mkdir(parents=True)
    for name in LEFT + OTHERS:
        (folder / name).write_text(name)
    log = tmp_path / "logs/run"
    (log / "dp").mkdir(parents=True)
    for name in ("metrics.jsonl", "dp/events.1", "end_networks_0000100.png"):
        (log / name).write_text(name)
    return folder


def protect(folder, *words, ranks=None) -> None:
    logs = folder.parent.parent / "logs"
    options = TrainOptions().parse_args(["--log_dir", str(logs), "--name", "run", *words])
    protect_earlier_run(folder, options, ranks or Ranks())


def names(folder) -> set:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("stage", [(), ("--stage", "dp"), ("--stage", "end")])
def test_a_training_that_would_replace_files_is_refused_and_both_ways_out_are_offered(folder, stage):
    message = f"^{re.escape(str(folder))} holds state_.* of an earlier training: continue it with --resume, start anew "
    with pytest.raises(UserError, match=message + "with --fresh"):
        protect(folder, *stage)
    assert names(folder) == {*LEFT, *OTHERS}


def test_weights_alone_are_not_overwritten_either(tmp_path):
    folder = tmp_path / "rank0"
    folder.mkdir()
    (folder / "dmr_30.ckpt").touch()
    with pytest.raises(UserError, match=r"holds dmr_30.ckpt of an earlier training: start anew with --fresh"):
        protect(folder)


def test_a_training_in_an_empty_folder_is_let_through(tmp_path):
    protect(tmp_path)
    protect(tmp_path, "--fresh")
    assert names(tmp_path) == set()


def test_stage_end_follows_on_a_stage_dp_in_the_same_folder(folder):
    for name in LEFT:
        if name.startswith(("state_1", "dmr")):
            (folder / name).unlink()
    protect(folder, "--stage", "end")
    with pytest.raises(UserError, match="holds state_0_000000004.ckpt"):
        protect(folder, "--stage", "dp")


def test_fresh_moves_every_file_of_the_training_and_of_its_log_into_a_dated_subfolder(folder, capsys):
    protect(folder, "--fresh")
    (aside,) = [path for path in folder.iterdir() if path.is_dir()]
    assert re.fullmatch(r"before_\d{8}_\d{6}", aside.name)
    assert names(aside) == set(LEFT)
    assert all((aside / name).read_text() == name for name in LEFT)
    assert names(folder) == {*OTHERS, aside.name, "config.json"}  # to be written anew
    log = folder.parent.parent / "logs/run"
    (old_log,) = log.iterdir()
    assert names(old_log) == {"metrics.jsonl", "dp", "end_networks_0000100.png"}
    assert (old_log / "dp/events.1").is_file()
    assert f"moved to {aside}: {len(LEFT)} files of an earlier training" in capsys.readouterr().out


def test_a_second_time_within_a_second_takes_another_subfolder(folder):
    for _ in range(3):
        (folder / "dmr_2.ckpt").write_text("again")
        protect(folder, "--fresh")
    aside = [path for path in folder.iterdir() if path.is_dir()]
    assert len(aside) == 3
    assert all((path / "dmr_2.ckpt").is_file() for path in aside)


def test_stage_end_started_afresh_keeps_the_cnet_that_it_starts_from(folder):
    protect(folder, "--stage", "end", "--fresh")
    assert {"CNet_1.ckpt", "CNet_best.ckpt", "state_0_000000004.ckpt"} <= names(folder)
    assert not {"dmr_2.ckpt", "state_1_000000008.ckpt"} & names(folder)


def test_every_rank_refuses_when_one_folder_holds_an_earlier_training(folder):
    errors = on_ranks(2, lambda ranks: protect(folder.with_name(f"rank{ranks.rank}"), ranks=ranks))
    assert all(isinstance(error, UserError) for error in errors)
    assert "a rank's folder below" in str(errors[1])


def test_the_options_of_a_run_do_not_tell_the_next_one_to_start_afresh_or_to_resume(tmp_path):
    for word in ("--fresh", "--resume"):
        checkpoint.save_config(TrainOptions().parse_args([word, "--seed", "3"]), tmp_path)
        again = TrainOptions().parse_args(["--from_json", str(tmp_path / "config.json")])
        assert (again.seed, again.fresh, again.resume) == (3, False, False)


# ---- going on from a saved state ----


def make_options(*words):
    return TrainOptions().parse_args([*map(str, words), "--resume"])


def save(folder, stage: int, step: int, options, ranks: int = 1, samples: int = SAMPLES) -> None:
    """A state of a training of `ranks` ranks after `step` steps."""
    steps = samples // (options.batch_size * options.accumulate * ranks)
    record = make_record(options, ranks, samples, step, steps, best={})
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
    """The state is that of 2 epochs of 6 steps."""
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
    """One rank trained 2 epochs of 6 steps; rank1 holds a later state of a time with two ranks."""
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
    """For example on several machines without a common folder."""
    options = make_options("--batch_size", 4)
    save(tmp_path / "here/rank0", 1, 6, options)
    places = [tmp_path / "here/rank0", tmp_path / "there/rank1"]
    found = on_ranks(2, lambda ranks: find(places[ranks.rank], options, ranks))
    assert all(isinstance(error, UserError) and "Let all of them see --ckpt_dir" in str(error) for error in found)


def test_without_a_state_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(UserError, match="there is no saved state in"):
        find(tmp_path, make_options())


def test_a_change_of_an_option_is_said_unless_it_is_without_effect():
    said = []
    saved = {"options": vars(make_options("--compile_cache", "cache", "--lr", 0.1))}
    say_changes(saved, make_options("--lr", 0.2), said.append)
    assert said == ["resumed with another --lr: 0.1 -> 0.2"]


@pytest.mark.parametrize("words", [(("--compile_cache", "cache"), ()), ((), ("--compile_cache", "cache"))])
def test_a_compile_cache_given_before_or_now_does_not_hinder_a_resume(tmp_path, words):
    before, now = words
    save(tmp_path, 1, 5, make_options(*before))
    assert find(tmp_path, make_options(*now)).position == (1, 5)
