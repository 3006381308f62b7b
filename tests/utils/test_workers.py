"""Claims about the worker processes that generating and preprocessing share."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.worker_jobs import describe_process, die, double_slowly, refuse_three
from utils import config
from utils.errors import UserError
from utils.workers import ITEMS_PER_WORKER, THREAD_VARIABLES, run_in_processes

PARENT = """
import sys
from tests.helpers.worker_jobs import wait_with_a_sign
from utils.workers import run_in_processes
if __name__ == "__main__":
    for _ in run_in_processes(wait_with_a_sign, [sys.argv[1] + "/" + name for name in "ab"], 2):
        pass
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(run_in_processes(double_slowly, range(8), workers)) == [2 * number for number in range(8)]
    assert list(run_in_processes(double_slowly, [], workers)) == []


def test_processes_know_the_data_root_ignore_ctrl_c_and_compute_with_one_thread_if_asked(tmp_path):
    before, variables = config.data_root(), [os.environ.get(name) for name in THREAD_VARIABLES]
    config.set_data_root(tmp_path)
    try:
        found = [next(run_in_processes(describe_process, [0], 1, one_thread)) for one_thread in (True, False)]
    finally:
        config.set_data_root(before)
    assert all(pid != os.getpid() and root == str(tmp_path) and blocked for pid, root, blocked, _ in found)
    assert [threads for *_, threads in found] == [["1"] * len(THREAD_VARIABLES), variables]
    assert [os.environ.get(name) for name in THREAD_VARIABLES] == variables


def test_items_are_taken_only_a_few_ahead_of_the_results():
    taken = []
    results = run_in_processes(double_slowly, (taken.append(number) or number for number in range(1000)), 1)
    assert next(results) == 0
    results.close()
    assert len(taken) <= ITEMS_PER_WORKER + 1


def test_an_error_of_an_item_is_raised_in_its_turn():
    found = []
    with pytest.raises(UserError, match="three is refused"):
        found += [found.append(number) for number in run_in_processes(refuse_three, range(6), 2)]
    assert found == [0, 1, 2]


def test_a_killed_process_is_told_in_one_line():
    with pytest.raises(UserError, match="a worker process died, perhaps for lack of memory.*fewer --workers") as error:
        list(run_in_processes(die, range(4), 2))
    assert "\n" not in str(error.value)


def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, script, tmp_path], env=environment) as parent:
        signs, limit = [tmp_path / name for name in "ab"], time.monotonic() + 60
        while not all(sign.is_file() and sign.read_text() for sign in signs) and time.monotonic() < limit:
            time.sleep(0.05)
        workers = [psutil.Process(int(sign.read_text())) for sign in signs]
        parent.kill()
    _, alive = psutil.wait_procs(workers, 10)
    assert not alive
