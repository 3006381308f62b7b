"""Training into the folder of an earlier training: refused, continued or moved aside; nothing is lost."""

import utils.environment  # noqa: F401, I001  before MindSpore

import re

import pytest

from tests.training.test_resuming import on_ranks
from training import earlier_run
from training.ranks import Ranks
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.train_options import TrainOptions

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


def settle(folder, *words, ranks=None) -> None:
    logs = folder.parent.parent / "logs"
    options = TrainOptions().parse_args(["--log_dir", str(logs), "--name", "run", *words])
    earlier_run.settle(folder, options, ranks or Ranks())


def names(folder) -> set:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("stage", [(), ("--stage", "dp"), ("--stage", "end")])
def test_a_training_that_would_replace_files_is_refused_and_both_ways_out_are_offered(folder, stage):
    message = f"^{re.escape(str(folder))} holds state_.* of an earlier training: continue it with --resume, start anew "
    with pytest.raises(UserError, match=message + "with --fresh"):
        settle(folder, *stage)
    assert names(folder) == {*LEFT, *OTHERS}


def test_weights_alone_are_not_overwritten_either(tmp_path):
    folder = tmp_path / "rank0"
    folder.mkdir()
    (folder / "dmr_30.ckpt").touch()
    with pytest.raises(UserError, match=r"holds dmr_30.ckpt of an earlier training: start anew with --fresh"):
        settle(folder)


def test_a_resumed_training_and_one_in_an_empty_folder_change_nothing(folder, tmp_path):
    settle(folder, "--resume")
    assert names(folder) == {*LEFT, *OTHERS}
    settle(tmp_path)
    settle(tmp_path, "--fresh")


def test_stage_end_follows_on_a_stage_dp_in_the_same_folder(folder):
    for name in LEFT:
        if name.startswith(("state_1", "dmr")):
            (folder / name).unlink()
    settle(folder, "--stage", "end")
    with pytest.raises(UserError, match="holds state_0_000000004.ckpt"):
        settle(folder, "--stage", "dp")


def test_fresh_moves_every_file_of_the_training_and_of_its_log_into_a_dated_subfolder(folder, capsys):
    settle(folder, "--fresh")
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
        settle(folder, "--fresh")
    aside = [path for path in folder.iterdir() if path.is_dir()]
    assert len(aside) == 3
    assert all((path / "dmr_2.ckpt").is_file() for path in aside)


def test_stage_end_started_afresh_keeps_the_cnet_that_it_starts_from(folder):
    settle(folder, "--stage", "end", "--fresh")
    assert {"CNet_1.ckpt", "CNet_best.ckpt", "state_0_000000004.ckpt"} <= names(folder)
    assert not {"dmr_2.ckpt", "state_1_000000008.ckpt"} & names(folder)


def test_the_options_of_a_run_do_not_tell_the_next_one_to_start_afresh_or_to_resume(tmp_path):
    for word in ("--fresh", "--resume"):
        checkpoint.save_config(TrainOptions().parse_args([word, "--seed", "3"]), tmp_path)
        again = TrainOptions().parse_args(["--from_json", str(tmp_path / "config.json")])
        assert (again.seed, again.fresh, again.resume) == (3, False, False)


def test_both_at_once_are_refused(folder):
    with pytest.raises(UserError, match="give one of them"):
        settle(folder, "--fresh", "--resume")


def test_every_rank_refuses_when_one_folder_holds_an_earlier_training(folder):
    errors = on_ranks(2, lambda ranks: settle(folder.with_name(f"rank{ranks.rank}"), ranks=ranks))
    assert all(isinstance(error, UserError) for error in errors)
    assert "a rank's folder below" in str(errors[1])
