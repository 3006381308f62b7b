"""What the processes of a data-parallel run settle together; a process alone settles it with itself."""

from pathlib import Path

import numpy as np
from mindspore import Tensor, ops

# numbers travel as pairs of float32, exact below BASE**2
BASE = 2**20


class Ranks:
    """Sums, maxima and lists over the ranks of a run. Every rank must make the same calls in the same order."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size
        if size > 1:
            self.all_gather = ops.AllGather()

    def all(self, values) -> np.ndarray:
        """[N] numbers -> [ranks, N] float32, those of every rank."""
        values = np.asarray(values, np.float32)
        return self.all_gather(Tensor(values)).asnumpy().reshape(self.size, -1) if self.size > 1 else values[None]

    def sum(self, values) -> np.ndarray:
        """The sum over ranks of [N] numbers, in float32."""
        return self.all(values).sum(0)

    def gather(self, number: int) -> list[int]:
        """The numbers of all ranks, 0 <= number < 2**40, by rank."""
        return [int(high) * BASE + int(low) for high, low in self.all(divmod(number, BASE))]

    def gather_all(self, numbers: list[int]) -> list[int]:
        """The numbers of all ranks, each with as many as it likes, 0 <= number < 2**40."""
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
    """Rank 0's folder of checkpoints beside a rank's `folder`, or that one where the other is out of sight."""
    first = folder.parent / "rank0"
    return first if first.is_dir() else folder
