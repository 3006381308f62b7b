"""Memory that is given back to the system."""

import subprocess
import sys

from benchmarks.memory import REPOSITORY

PROGRAM = """
from utils.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

blocks = [bytearray(50_000) for _ in range(2000)]  # 100 MB, too small each for a mapping of its own
last = bytearray(50_000)
del blocks
before = resident()
return_freed_memory()
print((before - resident()) // 2**20)
"""


def test_freed_memory_is_returned():
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    )
    assert int(found.stdout) > 50
