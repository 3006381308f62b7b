"""Whatever a file holds, its reader gives a result or a UserError, and does nothing else.

    DECOMR_FUZZ_EXAMPLES=20000 python -m pytest -q -s tests/reliability/fuzz

tries as many contents for each reader; without it the tests try enough for a minute's work.
"""

import os
import tempfile
import traceback
from pathlib import Path

import cv2
import pytest
from hypothesis import HealthCheck, given, settings

from tests.reliability.fuzz.guard import GUARD
from tests.reliability.fuzz.readers import READERS, Reader
from tests.reliability.fuzz.strategies import contents_of
from utils.errors import UserError

CRASHES: list[bytes] = []  # contents that ended the process
EXAMPLES = int(os.environ.get("DECOMR_FUZZ_EXAMPLES", 100))


VALID, REFUSED, FOUND = range(3)  # exit codes


def attempt(reader: Reader, content: bytes, folder: Path) -> bool:
    """Read a content under guard; whether it is valid."""
    path = folder / reader.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    read = read_elsewhere if reader.crashes else read_here
    return read(reader, path, folder)


def read_here(reader: Reader, path: Path, folder: Path) -> bool:
    """Read the file; whether it is valid. AssertionError for anything but a result or a UserError."""
    try:
        GUARD(folder, reader.read, path)
    except UserError as error:
        assert str(error).strip()
        return False
    return True


def read_elsewhere(reader: Reader, path: Path, folder: Path) -> bool:
    """Do the same in a copy of this process, which may crash: then the file counts as refused."""
    child = os.fork()
    if not child:
        code = FOUND
        try:
            cv2.setNumThreads(1)  # the threads of this process are not in its copy
            code = VALID if read_here(reader, path, folder) else REFUSED
        except AssertionError:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        CRASHES.append(path.read_bytes())
    assert code != FOUND, "its words stand above"
    return code == VALID


@pytest.mark.parametrize("reader", READERS, ids=[reader.name for reader in READERS])
def test_a_reader_gives_a_result_or_a_user_error(reader):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        assert all(attempt(reader, content, folder) for content in reader.contents())
        tried: list[bool] = []
        CRASHES.clear()

        @settings(
            max_examples=EXAMPLES, derandomize=EXAMPLES < 1000, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(contents_of(reader))
        def try_many(content):
            tried.append(attempt(reader, content, folder))

        try_many()
    print(f"\n{reader.name}: {len(tried)} contents, {sum(tried)} of them valid, {len(CRASHES)} ended the process")
