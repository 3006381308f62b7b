"""The folder kernels/ may be deleted: the program says so and goes on with MindSpore's kernels."""

import os
import re
import shutil
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
# not copied: what the tests do not need, and data/, which may be large
LEFT_OUT = ("kernels", ".*", "__pycache__", "data", "ckpt", "logs", "results", "quickstart")
# rooms that cannot know of kernels/, as tests/program/test_layers.py makes sure
UNCONCERNED = ("atlas", "datasets", "synthetic", "utils", "pretrained_model_convert", "evaluation", "exporting",
               "fitting", "reconstruction", "viewer", "reliability")  # fmt: skip


@pytest.fixture
def copy(tmp_path):
    """This repository without kernels/ and its tests."""
    repository = tmp_path / "copy"
    shutil.copytree(REPOSITORY, repository, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (repository / "data").mkdir()
    for name in (".ci", ".gitignore", ".cache", "data/README.md"):
        (repository / name).symlink_to(REPOSITORY / name)
    return repository


def run(copy, *words) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def test_it_says_that_it_runs_without(copy):
    ended = run(copy, "-c", PROGRAM)
    assert ended.stdout.splitlines() == ["MindSpore's kernels (kernels/ cannot be imported)", "True"]
    assert "UserError: --kernels compiled: kernels/ cannot be imported. Or use --kernels auto." in ended.stderr


@pytest.mark.slow
def test_the_fast_tests_pass(copy):
    """Those of the rooms that kernels/ could matter to."""
    assert not (copy / "kernels").exists() and not (copy / "tests/kernels").exists()
    without = [word for room in UNCONCERNED for word in ("--ignore", f"tests/{room}")]
    ended = run(copy, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *without)
    assert ended.returncode == 0, ended.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", ended.stdout)[1]) > 400


def test_only_the_entry_scripts_the_stages_and_the_benchmarks_open_the_door():
    sources = [path for path in REPOSITORY.glob("**/*.py") if path.relative_to(REPOSITORY).parts[0][0] != "."]
    callers = {path.relative_to(REPOSITORY).as_posix() for path in sources if "find_kernels" in path.read_text()}
    callers -= {path for path in callers if path.startswith(("tests/", "benchmarks/"))}
    assert callers == {"train.py", "eval.py", "demo.py", "training/stages.py", "utils/optional_kernels.py"}
