"""Whatever a file holds, its reader gives a result or a UserError, and does nothing else.

    DECOMR_FUZZ_EXAMPLES=20000 python -m pytest -q -s tests/reliability/fuzz

tries as many contents for each reader; without it the tests try enough for a minute's work.
"""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.reliability.fuzz.guard import GUARD
from tests.reliability.fuzz.readers import READERS, Reader
from tests.reliability.fuzz.strategies import contents_of
from utils.errors import UserError

CRASHES: list[bytes] = []  # contents that ended the process which read them
EXAMPLES = int(os.environ.get("DECOMR_FUZZ_EXAMPLES", 100))


def attempt(reader: Reader, content: bytes, folder: Path) -> bool:
    """Read a content, under guard unless another process reads it; whether it is valid."""
    path = folder / reader.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    try:
        if reader.elsewhere:
            reader.read(path)
        else:
            GUARD(folder, reader.read, path)
    except UserError as error:
        assert str(error).strip()
        if "crashes (" in str(error):
            CRASHES.append(content)
        return False
    return True


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
