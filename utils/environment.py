"""Process settings that must stand before MindSpore is imported.

Import this module first wherever MindSpore is imported; `models/__init__.py` does it for every
module that computes.
"""

import contextlib
import os

SETTINGS = {
    # oneDNN 3.10 inside MindSpore 2.10 has no plain-layout float32 3x3 convolution for AVX-512
    # processors and falls back to its reference loop, over 100 times slower than the AVX2 code.
    # kernels/build.py lifts the limit where convolutions are compiled.
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # Compiled kernels run on OpenMP's threads, which otherwise keep a core busy for milliseconds after each
    # of them, waiting for the next, while other threads need it.
    "OMP_WAIT_POLICY": "PASSIVE",
    # They wait busily for about a tenth of a millisecond before they sleep: a thin network has hundreds of parallel
    # parts in a step, and with threads that sleep after each it took up to 1.4 times as long.
    "GOMP_SPINCOUNT": "5000",
    # numpy's products run in threads beside the network (fits, errors); more threads of OpenBLAS take its cores, and
    # half of their time is spent on waiting for each other.
    "OPENBLAS_NUM_THREADS": "1",
    # 3: errors only. MindSpore's warnings speak of its own internals.
    "GLOG_v": "3",
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)


@contextlib.contextmanager
def environment_variables(settings: dict[str, str]):
    """Variables of this process, and of children that it starts, for the time of the block."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
