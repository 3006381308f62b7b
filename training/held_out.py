"""The part of the training list that training never sees, to validate on. The test list plays no part."""

import numpy as np

from utils.errors import UserError

STREAM = 0x7A11  # of random numbers, apart from those of epochs and augmentation


class Subset:
    """The samples `indices` of a data set; augmentation still draws from a sample's own index."""

    def __init__(self, dataset, indices: np.ndarray):
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def item(self, index: int, epoch: int = 0, columns=None) -> dict:
        """The item of the data set at place `index` of the subset."""
        return self.dataset.item(int(self.indices[index]), epoch, columns)


def split(groups: np.ndarray, share: float, batch: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices to train on, indices held out), each in order.

    groups: [N], what belongs together, such as the frames of one video, has one value and stays together.
    The held-out part has at least `share` of the samples and at least `batch`. UserError when fewer
    than `batch` would be left to train on.
    """
    names, member = np.unique(groups, return_inverse=True)
    order = np.random.default_rng([seed, STREAM]).permutation(len(names))
    sizes = np.bincount(member)[order]
    wanted = max(batch, round(share * len(groups)))
    taken = order[: np.searchsorted(np.cumsum(sizes), wanted) + 1]
    held_out = np.isin(member, taken)
    if len(groups) - held_out.sum() < batch:
        raise UserError(
            f"--val_share {share:g} of {len(groups)} training samples: holding out {held_out.sum()} leaves fewer than "
            f"one batch of {batch} to train on. Choose a smaller --batch_size or --val_share 0."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
