"""The folder kernels/ may be deleted: the program says so and goes on with MindSpore's kernels."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

PROGRAM = """
import utils.environment
from mindspore import nn
from utils.optional_kernels import find_kernels
kernels, layer = find_kernels(), nn.Conv2d(3, 4, 1)
print(kernels.choose("auto"))
kernels.accelerate(layer)
print(type(layer) is nn.Conv2d)
kernels.choose("compiled")
"""


@pytest.fixture
def copy(tmp_path):
    """The rooms of this repository but kernels/."""
    for room in ("models", "utils", "atlas"):
        (tmp_path / room).symlink_to(REPOSITORY / room)
    return tmp_path


def test_it_says_that_it_runs_without(copy):
    environment = os.environ | {"PYTHONPATH": str(copy)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines() == ["MindSpore's kernels (kernels/ cannot be imported)", "True"]
    assert "UserError: --kernels compiled: kernels/ cannot be imported. Or use --kernels auto." in ended.stderr


def test_only_the_entry_scripts_the_stages_and_the_benchmarks_open_the_door():
    sources = [path for path in REPOSITORY.glob("**/*.py") if path.relative_to(REPOSITORY).parts[0][0] != "."]
    callers = {path.relative_to(REPOSITORY).as_posix() for path in sources if "find_kernels" in path.read_text()}
    callers -= {path for path in callers if path.startswith(("tests/", "benchmarks/"))}
    assert callers == {"train.py", "eval.py", "demo.py", "training/stages.py", "utils/optional_kernels.py"}
