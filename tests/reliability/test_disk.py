"""A full disk, a folder that takes nothing, flipped bits: what was there stays whole, and one line says why."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mindspore import nn

import utils.environment  # noqa: F401, I001  before MindSpore
from datasets.preprocess import up_3d
from tests.helpers.tiny_up3d import write_data
from utils import config, files
from utils.checkpoints import checkpoint, checksums
from utils.errors import CannotWrite, UserError, run_command

SMALL_PICTURE = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)  # 1.3 KB as PNG
WRITERS = {
    "text.txt": lambda path, size: files.write_text(path, "x" * size),
    "array.npy": lambda path, size: files.write_npy(path, np.zeros(size)),
    "table.npz": lambda path, size: files.write_npz(path, first=np.zeros(size), second=np.zeros(size)),
    "picture.png": lambda path, size: files.write_png(path, SMALL_PICTURE[: 20 if size > 100 else 1]),
    "dmr_1.ckpt": lambda path, size: checkpoint.save_weights(nn.Dense(1, size), path),
}


@contextlib.contextmanager
def disk_full(limit: int = 900):
    """Files of this process take `limit` bytes and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def unwritable(folder: Path):
    """`folder` takes no file: by its mode, for root by the attribute `i`, where there is none by being replaced."""
    folder.chmod(0o555)
    immutable = os.access(folder, os.W_OK) and not subprocess.run(["chattr", "+i", folder], check=False).returncode
    replaced = os.access(folder, os.W_OK)
    if replaced:
        folder.rename(f"{folder}.aside")
        folder.write_text("a file in the folder's place")
    try:
        yield folder
    finally:
        if immutable:
            subprocess.run(["chattr", "-i", folder], check=True)
        if replaced:
            folder.unlink()
            Path(f"{folder}.aside").rename(folder)
        folder.chmod(0o755)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", WRITERS)
def test_on_a_full_disk_the_old_file_stays_and_nothing_else(name, tmp_path, capfd):
    write = WRITERS[name]
    write(tmp_path / name, 20)
    before = content(tmp_path)
    with disk_full(), pytest.raises(CannotWrite, match=rf"cannot write \S+{name}: File too large. Make room"):
        write(tmp_path / name, 2000)
    assert content(tmp_path) == before
    assert "Traceback" not in capfd.readouterr().err
    write(tmp_path / name, 2000)  # and with room it is written
    assert content(tmp_path)[name] != before[name]


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_takes_nothing_is_named(name, tmp_path):
    folder = tmp_path / "protected"
    WRITERS[name](folder / name, 20)
    before = content(folder)
    with (
        unwritable(folder),
        pytest.raises(CannotWrite, match=r"cannot write to the folder \S+protected: .*Choose another folder"),
    ):
        WRITERS[name](folder / name, 30)
    assert content(folder) == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_command_ends_with_one_line_when_its_log_meets_a_full_disk(code, monkeypatch, capsys):
    def main():
        raise OSError(code, os.strerror(code), "metrics.jsonl")

    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit) as end:
        run_command(main)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"train.py: error: cannot write metrics.jsonl: {os.strerror(code)}.")
    assert len(error.splitlines()) == 1


def test_other_faults_of_the_system_are_not_called_a_full_disk():
    def main():
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ConnectionResetError):
        run_command(main)


@pytest.fixture
def raw(tmp_path):
    """Raw samples of UP-3D, as the data root of this process."""
    write_data(tmp_path, 3)
    before = config.data_root()
    config.set_data_root(tmp_path)
    yield tmp_path
    config.set_data_root(before)


def test_preprocessing_on_a_full_disk_ends_and_blames_no_sample(raw):
    """Were it taken for the samples' fault, every one would be tried, and entered as broken."""
    data_set = up_3d.Up3D()
    with disk_full(), pytest.raises(CannotWrite, match="up_3d_trainval"):
        data_set.make_split("train", 1)
    assert data_set.make_split("train", 1).done == 2
    table = up_3d.Up3D().npz_file("train")
    whole = table.read_bytes()
    with disk_full(), pytest.raises(CannotWrite, match="BF_IUV_gt"):
        data_set.make_iuv(table, "BF", 1)
    assert table.read_bytes() == whole
    summary = data_set.make_iuv(table, "BF", 1)
    assert (summary.done, summary.broken) == (2, {})


def test_preprocessing_into_a_protected_folder_ends_before_its_work(raw):
    folder = files.make_folder(config.DATASET_NPZ_PATH)
    with unwritable(folder), pytest.raises(CannotWrite, match="cannot write to the folder"):
        up_3d.Up3D().make_split("train", 1)


def test_every_flipped_bit_of_a_checkpoint_is_found(tmp_path):
    path = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(nn.Dense(5, 7), path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.choice(8 * len(whole), 50, replace=False).tolist():
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(checksums.Damaged, match="dmr_1.ckpt is damaged: its SHA-256 is .* Use another checkpoint"):
            checkpoint.read_checkpoint(path)
    path.write_bytes(whole)
    assert len(checkpoint.read_checkpoint(path)) == 2


def test_a_damaged_checksum_is_not_taken_for_one(tmp_path):
    path = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(nn.Dense(5, 7), path)
    for text in ("", "0" * 64, "not a sum", "\0" * 80):
        checksums.sum_file(path).write_text(text)
        with pytest.raises(UserError, match=r"holds no checksum|is damaged"):
            checkpoint.read_checkpoint(path)
