"""How the processes of a data-parallel run exchange numbers between steps; all works for one process too."""

from pathlib import Path

import numpy as np
from mindspore import Tensor, ops

# integers are exchanged as pairs of float32, which is exact below BASE**2
BASE = 2**20


class Ranks:
    """Sums, maxima and lists over the ranks of a run. Every rank must make the same calls in the same order."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size
        if size > 1:
            self.all_gather = ops.AllGather()

    def all(self, values) -> np.ndarray:
        """[N] numbers of this rank -> [ranks, N] float32, the numbers of every rank."""
        values = np.asarray(values, np.float32)
        return self.all_gather(Tensor(values)).asnumpy().reshape(self.size, -1) if self.size > 1 else values[None]

    def sum(self, values) -> np.ndarray:
        """The sum over ranks of [N] numbers, in float32."""
        return self.all(values).sum(0)

    def gather(self, number: int) -> list[int]:
        """An integer of this rank -> the integers of all ranks, in their order; 0 <= integer < 2**40."""
        return [int(high) * BASE + int(low) for high, low in self.all(divmod(number, BASE))]

    def gather_all(self, numbers: list[int]) -> list[int]:
        """A list of integers of this rank, of any length -> the lists of all ranks joined; 0 <= integer < 2**40."""
        counts = self.gather(len(numbers))
        if not max(counts):
            return []
        padded = [*numbers, *[0] * (max(counts) - len(numbers))]
        rows = self.all(np.array([divmod(number, BASE) for number in padded]).ravel())
        return [
            int(high) * BASE + int(low)
            for row, count in zip(rows, counts, strict=True)
            for high, low in row.reshape(-1, 2)[:count]
        ]

    def any(self, condition: bool) -> bool:
        """Whether the condition holds on any rank."""
        return bool(self.sum([condition])[0] > 0)


def folder_of_rank_0(folder: Path) -> Path:
    """Rank 0's folder of checkpoints beside a rank's `folder`; `folder` itself if this rank does not see that one."""
    first = folder.parent / "rank0"
    return first if first.is_dir() else folder
