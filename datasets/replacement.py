"""Samples that cannot be read are replaced by others: one damaged file must not end a run of days."""

import numpy as np

from utils.errors import UserError

# items draw from (seed, epoch, index): one word more is ours
REPLACEMENT_STREAM = 0xBAD
MAX_TRIES = 10  # samples in a row; a data set of which more are bad has another fault
REPLACED = "replaced"  # column: what is wrong with the samples that were passed over, a line each; '' where none was


class Replacing:
    """A random-access data set whose items always come, with the column REPLACED beside their own.

    The sample that takes a bad one's place is drawn from (seed, epoch, index): the same for any number of
    workers, ranks or restarts.
    """

    def __init__(self, dataset, seed: int):
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def item(self, index: int, epoch: int, columns) -> dict:
        """The item of sample `index`, or of one drawn in its place; UserError after MAX_TRIES bad ones."""
        columns = tuple(name for name in columns if name != REPLACED)
        rng, chosen = np.random.default_rng([self.seed, epoch, index, REPLACEMENT_STREAM]), index
        problems: list[str] = []
        while len(problems) < MAX_TRIES:
            try:
                item = self.dataset.item(chosen, epoch, columns)
            except UserError as error:
                problems.append(str(error))
                chosen = int(rng.integers(len(self.dataset)))
            else:
                return item | {REPLACED: "\n".join(problems)}
        raise UserError(f"{MAX_TRIES} samples drawn one after another are bad, the first: {problems[0]}")
