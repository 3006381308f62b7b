"""What refuses or ends a run: options, requests to stop, and numbers that are not finite.

Bad samples are tested with the loader in tests/reliability/test_bad_samples.py.
"""

import utils.environment  # noqa: F401, I001  before MindSpore

import os
import signal
from types import SimpleNamespace

import mindspore as ms
import pytest

from models.training_step import Status
from tests.helpers.thread_ranks import ThreeRanks
from training.guards import NEWS, BadSteps, StopRequests, check_options
from training.ranks import Ranks
from utils.errors import UserError
from utils.train_options import TrainOptions

# ---- options ----


def check(*words, target="CPU") -> None:
    check_options(TrainOptions().parse_args([str(word) for word in words]), target)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch_size", 1), "--batch_size 1: the LNet has BatchNorm"),
        (("--amp_level", "O2"), "--amp_level O2 needs a GPU or NPU"),
        (("--fresh", "--resume"), "give one of them"),
    ],
)
def test_options_that_cannot_work_are_refused(words, message):
    with pytest.raises(UserError, match=message):
        check(*words)


def test_options_that_work_elsewhere_are_not_refused():
    check("--batch_size", 1, "--stage", "dp")
    check("--amp_level", "O2", target="GPU")


def test_a_compile_cache_is_said_to_have_no_effect_in_one_line(capsys):
    check()
    assert capsys.readouterr().err == ""
    check("--compile_cache", "cache", "--accumulate", 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert "warning: --compile_cache has no effect any more" in line


# ---- requests to stop ----


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
    bad_steps = BadSteps(Ranks(), 3, said.append)
    for skipped in (1, 2):
        bad_steps.check(status(skipped), bad, "step 5")
    assert said[0] == "step 5: update left out, loss key2D is not finite (1 left out so far)"
    bad_steps.check(status(2), fine, "step 6")  # a good one breaks the row
    for skipped in (3, 4):
        bad_steps.check(status(skipped), bad, "step 7")
    with pytest.raises(UserError, match="step 8: 3 updates in a row were left out, loss key2D is not finite"):
        bad_steps.check(status(5), bad, "step 8")


def test_a_gradient_alone_can_be_bad_and_another_rank_s_loss_is_named_with_the_rank():
    said = []
    BadSteps(Ranks(), 3, said.append).check(status(1), fine, "step 1")
    assert "the losses are finite but a gradient is not" in said[0]
    BadSteps(ThreeRanks([2, 1]), 3, said.append).check(status(1), fine, "step 1")
    assert "loss con is not finite on rank 2" in said[1]


def test_overflows_while_the_loss_scale_is_searched_do_not_end_a_run():
    bad_steps = BadSteps(Ranks(), 1, lambda line: None)
    bad_steps.start(SimpleNamespace(skipped=ms.Tensor(0), loss_scaling=True))
    for skipped in range(1, 10):
        bad_steps.check(status(skipped, scale=2.0**10), bad, "step 1")
    with pytest.raises(UserError):
        bad_steps.check(status(10, scale=1.0), bad, "step 1")
