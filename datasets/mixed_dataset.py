"""Several data sets as one, sampled by shares: the mixtures of the PyTorch release.

An epoch has as many positions as the largest member has samples. The sample at a position is drawn from (seed, epoch,
position) only. It does not depend on the number of workers, ranks or restarts, and differs between epochs and, because
ranks take different positions, between ranks.
"""

import numpy as np

from datasets.base_dataset import COLUMNS, IUV_ELSEWHERE, BaseDataset
from datasets.registry import MIXTURES

# Items draw from (seed, epoch, position), the loader's order from (seed, epoch, length); a fourth number makes a stream
# of its own.
CHOICE_STREAM = 1


class MixedDataset:
    """The training split of a mixture; random access as BaseDataset.

    options: those of BaseDataset. `shares` are the members' sampling probabilities, in the order of `members`.
    """

    def __init__(self, options, mixture: str):
        self.options, self.dataset = options, mixture
        self.members: list[BaseDataset] = []
        shares: list[float] = []
        for names, share in MIXTURES[mixture].items():
            group = [BaseDataset(options, name) for name in (names if isinstance(names, tuple) else (names,))]
            sizes = np.array([len(member) for member in group])
            self.members += group
            shares += (share * sizes / sizes.sum()).tolist()
        self.shares = np.array(shares)
        self.length = max(map(len, self.members))

    @property
    def has_iuv(self) -> bool:
        """Whether any sample has an IUV image."""
        return any(member.has_iuv for member in self.members)

    @property
    def iuv_advice(self) -> str:
        """What a user whose samples have no IUV images should do to train stage dp."""
        return min((member.iuv_advice for member in self.members), key=lambda advice: advice == IUV_ELSEWHERE)

    def mesh_genders(self) -> tuple[int, ...]:
        """The genders, 0 and 1, whose body models the true meshes need; UserError if such a file is missing."""
        return tuple(sorted({gender for member in self.members for gender in member.mesh_genders()}))

    def __len__(self) -> int:
        return self.length

    def choose(self, position: int, epoch: int) -> tuple[BaseDataset, int]:
        """The member at a position of an epoch, and the index of the sample in it."""
        rng = np.random.default_rng([self.options.seed, epoch, position, CHOICE_STREAM])
        member = self.members[rng.choice(len(self.members), p=self.shares)]
        return member, int(rng.integers(len(member)))

    def item(self, index: int, epoch: int = 0, columns=tuple(COLUMNS)) -> dict:
        """The item at position `index` of an epoch, limited to `columns`."""
        member, sample = self.choose(index, epoch)
        return member.item(sample, epoch, columns, position=index)
