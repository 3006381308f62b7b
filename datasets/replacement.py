"""Replace samples that cannot be read by others, so that one damaged file does not end a long run."""

import numpy as np

from utils.errors import UserError

# items draw from (seed, epoch, index); a fourth number makes a stream of its own
REPLACEMENT_STREAM = 0xBAD
MAX_TRIES = 10  # bad samples one after another that are accepted; more point to another fault
REPLACED = "replaced"  # column: the errors of the samples that were replaced, a line each; '' if there are none


class Replacing:
    """A random-access data set that replaces bad samples; its items have the additional column REPLACED.

    The replacement is drawn from (seed, epoch, index), so it does not depend on the number of workers, ranks or
    restarts.
    """

    def __init__(self, dataset, seed: int):
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def item(self, index: int, epoch: int, columns) -> dict:
        """The item of sample `index`, or of its replacement; UserError after MAX_TRIES bad ones."""
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
