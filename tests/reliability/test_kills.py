"""A few kills of every kind, with thin networks; tests.reliability.kills says what is done."""

import re

import pytest

from tests.conftest import run_script

pytestmark = pytest.mark.slow


def test_killed_training_preprocessing_and_evaluation_end_as_if_they_had_not_been():
    table = run_script("-m", "tests.reliability.kills", "--thin", "--kills", 2, "--steps", 3).stdout.splitlines()[1:]
    assert [re.sub(r"\s+\d+   ", ": ", line) for line in table] == [
        "training, kill -9 at random times: nothing",
        "training, kill -9 in file operations: nothing",
        "training, loader worker killed: nothing",
        "training, disk full, then room again: nothing",
        "training, a second run on its folder: nothing",
        "preprocessing, kill -9 at random times: nothing",
        "evaluation, kill -9 at random times: nothing",
    ]
    assert all(int(re.search(r"\s(\d+)   ", line)[1]) > 0 for line in table)
