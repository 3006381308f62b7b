"""What a library may take that reads a hostile file ends with one error, and the process is as before."""

import resource
import signal
import threading

import numpy as np
import pytest

from utils.array_files.cdf import MEMORY, SECONDS
from utils.array_files.limits import OverLimit, limited


@pytest.fixture(autouse=True)
def unchanged():
    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)
    yield
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def loop_for_ever():
    while True:
        try:
            sum(range(1000))
        except Exception:  # as in a library that takes every error for a damaged file
            continue


def test_a_loop_without_an_end_is_ended():
    with pytest.raises(OverLimit, match=r"takes more than 0\.1 s"), limited(MEMORY, 0.1):
        loop_for_ever()


def test_memory_that_a_file_states_is_not_given():
    with pytest.raises(OverLimit, match="takes more than 512 MiB of memory"), limited(MEMORY, SECONDS):
        np.ones(1 << 28)


def test_work_within_the_limits_is_done_and_its_errors_pass():
    with limited(MEMORY, SECONDS):
        assert np.ones(1 << 20).sum() == 1 << 20
    with pytest.raises(KeyError), limited(MEMORY, SECONDS):
        raise KeyError


def test_in_another_thread_memory_alone_is_limited():
    found = []

    def work():
        try:
            with limited(MEMORY, 0.01):
                found.append(sum(range(1_000_000)))
                np.ones(1 << 28)
        except OverLimit as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [499999500000, "takes more than 512 MiB of memory"]
