"""Arrays of an .npz that are mapped instead of read: the same values, the same errors, and little memory."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from utils.array_files.arrays import blocks
from utils.array_files.pickles import unpickle_array
from utils.errors import UserError
from utils.files import Blocks, map_npz, read_npz, write_npz

ADVICE = "Get it again."
RNG = np.random.default_rng(0)
ARRAYS = {
    "floats": RNG.random((50, 3)),
    "fortran": np.asfortranarray(RNG.random((7, 5))),
    "text": np.array(["a", "grün", "ccc"]),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 4)),
    "single": np.array(3.5),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, write_npz])
def test_mapped_arrays_have_the_values_that_numpy_reads(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    mapped = map_npz(path, ADVICE)
    with np.load(path) as expected:
        assert set(mapped) == set(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(mapped[name], expected[name])
            assert mapped[name].dtype == expected[name].dtype
    assert set(map_npz(path, ADVICE, names=("text", "flags", "missing"))) == {"text", "flags"}


def test_only_what_is_stored_plainly_is_mapped(tmp_path):
    path = tmp_path / "a.npz"
    objects = np.array(["a", None], object)
    np.savez(path, floats=ARRAYS["floats"], objects=objects)
    mapped = map_npz(path, ADVICE, unpickle_array)
    assert not mapped["floats"].flags.writeable and not mapped["floats"].flags.owndata
    assert mapped["objects"].tolist() == ["a", None]
    with pytest.raises(UserError, match="cannot be read: it holds an array of Python objects.* Get it again."):
        map_npz(path, ADVICE)


def test_a_changed_byte_and_a_cut_file_are_found(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    whole = path.read_bytes()
    place = whole.index(ARRAYS["floats"].tobytes()) + 100
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(UserError, match="cannot be read: Bad CRC-32 for file 'floats.npy'"):
        map_npz(path, ADVICE)
    assert "text" in map_npz(path, ADVICE, names=("text",))
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cannot be read"):
            map_npz(path, ADVICE)


def test_a_member_that_states_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 3), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(UserError, match="holds 64 bytes, expected 24000000000 for an array"):
        map_npz(path, ADVICE)


def test_arrays_written_in_parts_are_those_written_whole(tmp_path):
    path, array = tmp_path / "a.npz", ARRAYS["floats"].astype(np.float32)
    write_npz(path, a=Blocks(array.shape, array.dtype, iter([array[:20], array[20:21], array[21:]])))
    np.testing.assert_array_equal(read_npz(path, ADVICE)["a"], array)
    with pytest.raises(ValueError, match="49 rows were given for an array of shape"):
        write_npz(path, a=Blocks(array.shape, array.dtype, iter([array[:49]])))
    np.testing.assert_array_equal(read_npz(path, ADVICE)["a"], array)  # as it was


def test_parts_are_all_rows_in_their_order(monkeypatch):
    monkeypatch.setattr("utils.array_files.arrays.BLOCK_BYTES", 100)
    array = ARRAYS["floats"]
    parts = list(blocks(array))
    assert (
        len(parts) > 1
        and [start for start, _ in parts] == np.cumsum([0, *map(len, [p for _, p in parts])])[:-1].tolist()
    )
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), array)
    assert list(blocks(np.zeros((0, 3)))) == []


PROGRAM = """
import sys
from pathlib import Path
from datasets.columns import read_table
from datasets.registry import BRING_IT

def resident():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

def read(path):
    return read_table(Path(path), BRING_IT, ("imgname", "center", "scale"))

read(sys.argv[1])
before = resident()
table = read(sys.argv[2])
print(table["S"].nbytes / 2**20, resident() - before)
"""


def test_a_table_opens_in_little_memory(tmp_path):
    """Ten times as many rows take hardly more memory."""
    joints = np.zeros((24, 4))
    joints[:, 3] = 1
    paths = []
    for count in (12_000, 120_000):
        paths.append(tmp_path / f"{count}.npz")
        write_npz(
            paths[-1], imgname=np.array([f"{i}.png" for i in range(count)]), center=np.ones((count, 2)),
            scale=np.ones(count), S=np.broadcast_to(joints, (count, 24, 4)),
        )  # fmt: skip
    words = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    finished = subprocess.run(words, check=True, capture_output=True, text=True)
    size, growth = map(float, finished.stdout.split())
    assert size > 80
    assert growth < size / 4
