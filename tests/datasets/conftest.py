"""Original files of a data set that a test may change."""

import shutil
from pathlib import Path

import pytest

from utils import config


@pytest.fixture
def known(original, tmp_path, monkeypatch) -> dict:
    """What a test file's `original`, (data root, what is known about its files), holds.

    A copy, which the test may change, is set as the data root of this process.
    """
    root = Path(shutil.copytree(original[0], tmp_path / "data"))
    monkeypatch.setattr(config, "_root", root)
    return original[1]
