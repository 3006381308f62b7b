"""The data root of the benchmarks: the generated body with two photographs, unless the user names another."""

from pathlib import Path

from synthetic.generate import generate
from utils import config

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmark-data"


def prepare_benchmark_root(data_dir=None) -> Path:
    """Set the data root of this process to `data_dir`, or to a generated one, which takes a minute the first time."""
    config.set_data_root(data_dir or CACHE)
    if data_dir is None:
        generate(num_train=1, num_test=1)
    return config.data_root()
