"""Atheris on a reader: contents are changed so that they reach lines that none reached before.

    python -m pip install atheris==3.0.0
    python -m tests.reliability.fuzz.coverage_guided content.pkl --seconds 60

Readers: those of tests.reliability.fuzz.readers, by the beginning of their file's name. What is found is written
to crash-* and ends the run.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["utils", "datasets", "reconstruction", "pickle", "json", "numpy", "scipy.io"]):
    from tests.reliability.fuzz.readers import READERS
    from tests.reliability.fuzz.test_readers import attempt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", help=", ".join(reader.name for reader in READERS))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    chosen = [reader for reader in READERS if reader.name.startswith(options.reader)]
    if len(chosen) != 1:
        parser.error(f"{options.reader} is the beginning of {len(chosen)} names, expected one")
    with tempfile.TemporaryDirectory() as corpus, tempfile.TemporaryDirectory() as folder:
        for index, content in enumerate(chosen[0].contents()):
            (Path(corpus) / str(index)).write_bytes(content)
        words = [sys.argv[0], f"-max_total_time={options.seconds}", "-max_len=100000", "-rss_limit_mb=6000", corpus]
        atheris.Setup(words, lambda content: attempt(chosen[0], content, Path(folder)) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
