"""The data root that benchmarks run on: the generated body with a few photographs, unless the user names one."""

from pathlib import Path

from synthetic.generate import generate
from utils import config

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmark-data"


def benchmark_root(data_dir=None) -> Path:
    """Set the data root of this process to `data_dir`, or to one that is generated once (about a minute)."""
    config.set_data_root(data_dir or CACHE)
    if data_dir is None:
        generate(num_train=1, num_test=1)
    return config.data_root()
