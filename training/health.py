"""Counts updates left out because a loss or a gradient was not finite, and ends the run after too many."""

import math

from training.ranks import Ranks
from utils.errors import UserError


class Health:
    """limit: updates in a row that may be left out."""

    def __init__(self, ranks: Ranks, limit: int, say):
        self.ranks, self.limit, self.say = ranks, limit, say
        self.skipped = self.in_row = 0

    def start(self, update) -> None:
        """Go on from the counters of a stage's Update cell."""
        self.skipped = int(update.skipped.asnumpy())
        self.in_row = 0

    def check(self, update, losses: dict, where: str) -> None:
        """Look at the counters of the Update cell after a step; losses: name -> value, `total` among them.

        UserError once `limit` updates in a row were left out. While a dynamic loss scale can still be
        halved, an overflow is part of its search and does not count.
        """
        scale = float(update.scale.asnumpy()) if update.loss_scaling else 1.0
        skipped = int(update.skipped.asnumpy())
        if skipped == self.skipped:
            self.in_row = 0
            return
        self.skipped = skipped
        cause = self._cause(losses)
        searching = scale > 1
        self.in_row = 0 if searching else self.in_row + 1
        lowered = f", loss scale lowered to {scale:g}" if update.loss_scaling else ""
        self.say(f"{where}: update left out, {cause}{lowered} ({skipped} left out so far)")
        if self.in_row >= self.limit:
            raise UserError(
                f"{where}: {self.in_row} updates in a row were left out, {cause}. The weights are those before. "
                "Lower --lr, set --clip_grad, or look for bad samples in the data; --max_bad_steps sets the limit."
            )

    def _cause(self, losses: dict) -> str:
        """What is not finite, on the first rank where it shows."""
        names = [name for name in losses if name != "total"]
        bad = next((index for index, name in enumerate(names) if not math.isfinite(losses[name])), len(names))
        by_rank = self.ranks.gather(bad)
        rank = min(range(len(by_rank)), key=lambda index: by_rank[index])
        if by_rank[rank] == len(names):
            return "the losses are finite but a gradient is not"
        place = f" on rank {rank}" if len(by_rank) > 1 else ""
        return f"loss {names[by_rank[rank]]} is not finite{place}"
