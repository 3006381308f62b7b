"""Counts updates left out because a loss or a gradient was not finite, and ends the run after too many."""

import math
from collections.abc import Callable

from models.training_step import Status, Update
from training.ranks import Ranks
from utils.errors import UserError


class Health:
    """limit: updates in a row that may be left out."""

    def __init__(self, ranks: Ranks, limit: int, say):
        self.ranks, self.limit, self.say = ranks, limit, say
        self.left_out = self.in_row = 0
        self.loss_scaling = False

    def start(self, update: Update) -> None:
        """Go on from the counters of a stage's Update cell."""
        self.left_out = int(update.skipped.asnumpy())
        self.loss_scaling = update.loss_scaling
        self.in_row = 0

    def check(self, status: Status, losses: Callable[[], dict], where: str) -> None:
        """Look at the status of a step; losses(): name -> value, `total` among them, asked for if need be.

        UserError once `limit` updates in a row were left out. While a dynamic loss scale can still be
        halved, an overflow is part of its search and does not count.
        """
        if status.left_out == self.left_out:
            self.in_row = 0
            return
        self.left_out = status.left_out
        cause = self._cause(losses())
        searching = self.loss_scaling and status.loss_scale > 1
        self.in_row = 0 if searching else self.in_row + 1
        lowered = f", loss scale lowered to {status.loss_scale:g}" if self.loss_scaling else ""
        self.say(f"{where}: update left out, {cause}{lowered} ({status.left_out} left out so far)")
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
