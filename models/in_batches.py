"""Running a cell on batches of one size only: graph mode compiles anew for every other shape."""

from collections.abc import Callable, Iterator

import numpy as np
from mindspore import Tensor


def run_in_batches(cell: Callable, batch_size: int, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs of `cell` for columns [N, ...], each [N, ...], computed batch_size samples at a time.

    The cell gets and gives Tensors with a leading batch axis and treats samples independently. The
    last batch is filled up with copies of its last sample, whose outputs are dropped.
    """
    parts = [[output.asnumpy() for output in cell(*batch)] for batch in _full_batches(batch_size, columns)]
    count = len(columns[0])
    return tuple(np.concatenate(outputs)[:count] for outputs in zip(*parts, strict=True))


def _full_batches(batch_size: int, columns: tuple) -> Iterator[list[Tensor]]:
    for start in range(0, len(columns[0]), batch_size):
        taken = [column[start : start + batch_size] for column in columns]
        missing = batch_size - len(taken[0])
        yield [Tensor(np.concatenate([column, np.repeat(column[-1:], missing, axis=0)])) for column in taken]
