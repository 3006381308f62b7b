"""Saved states: everything that a resumed run needs, in files state_{stage}_{step}.ckpt.

A state holds the parameters of the cell that makes a training step (weights, BatchNorm's statistics, Adam's moments,
loss scale, counters), and as JSON the record of everything else, which `make_record` puts together.
"""

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import mindspore as ms
import numpy as np

from utils.checkpoints import checkpoint, checksums
from utils.errors import UserError

RECORD = checkpoint.STATE_RECORD  # the record's name among the parameters
STATE_NAME = re.compile(r"state_(\d)_(\d+)\.ckpt")
DISCARDED = ".discarded"
MAX_STEPS = 2**36


def make_record(options, ranks: int, samples: int, step: int, steps_per_epoch: int, best: dict) -> dict:
    """The record of a state after `step` steps of a stage: what it holds besides parameters.

    ranks: number of ranks. samples: length of the training list. best: stage -> {"step", "value"} of its best weights.
    """
    return {
        "options": vars(options),
        "ranks": ranks,
        "samples": samples,
        "random": random_states(),
        "best": best,
        "epoch": step // steps_per_epoch,  # epochs that are complete
        "batch": step % steps_per_epoch,  # steps of the next one that are done
    }


class Position(NamedTuple):
    """How far a run is. A later position of a run is the larger one."""

    stage: int
    step: int  # of the stage, over all epochs

    @property
    def key(self) -> int:
        """The position as one number; a later position has a larger key."""
        return self.stage * MAX_STEPS + self.step

    @classmethod
    def of_key(cls, key: int) -> "Position":
        """The position that has this `key`."""
        return cls(*divmod(key, MAX_STEPS))

    @property
    def file_name(self) -> str:
        """state_{stage}_{step}.ckpt."""
        return f"state_{self.stage}_{self.step:09d}.ckpt"


class State(NamedTuple):
    """A saved state as it was read."""

    position: Position
    values: dict  # name -> parameter
    record: dict


class SavedStates:
    """The newest `keep` states of a run in `folder`.

    resumed: this run continues the one whose states are in the folder. States of any other run are not removed.
    """

    def __init__(self, folder, keep: int, resumed: bool):
        self.folder, self.keep = Path(folder), keep
        self.others = () if resumed else tuple(self.positions())

    def path(self, position: Position) -> Path:
        """The file for the state of a position, whether it exists or not."""
        return self.folder / position.file_name

    def positions(self) -> list[Position]:
        """The positions of all states in the folder, newest first; damaged files count too."""
        names = (STATE_NAME.fullmatch(path.name) for path in self.folder.glob("state_*.ckpt"))
        return sorted((Position(int(name[1]), int(name[2])) for name in names if name), reverse=True)

    def save(self, position: Position, step_cell, record: dict, alone: bool = False) -> Path:
        """Write a state, then remove the oldest ones above `keep`.

        alone: set all other states aside, because the run that wrote them counted steps differently.
        """
        checkpoint.write_parameters(
            checkpoint.named_parameters(step_cell), self.path(position), {RECORD: json.dumps(record)}
        )
        if alone:
            self.discard(entry for entry in self.positions() if entry != position)
        own = [entry for entry in self.positions() if entry not in self.others]
        for oldest in own[self.keep :]:
            checksums.remove(self.path(oldest))
        return self.path(position)

    def newest_sound(self, limit: Position | None, say) -> State | None:
        """The newest state up to `limit` whose file is sound; `say` is called with a line for each damaged one."""
        for position in self.positions():
            if limit is not None and position > limit:
                continue
            try:
                return State(position, *self.read(position))
            except UserError as error:
                say(f"{error} Going back to the state before.")
        return None

    def read(self, position: Position) -> tuple[dict, dict]:
        """(values by parameter name, record); UserError when the file is damaged or of another format."""
        values = checkpoint.read_checkpoint(self.path(position))
        record = values.pop(RECORD, None)
        try:
            record = json.loads(record)
        except (TypeError, ValueError, RecursionError):  # TypeError: there is none
            record = None
        if not isinstance(record, dict):
            raise checksums.Damaged(f"{self.path(position)} is not a saved state.")
        return values, record

    def discard(self, positions: Iterable[Position]) -> None:
        """Rename states, so that they are not taken for states of the run that goes on now."""
        for position in positions:
            path = self.path(position)
            path.rename(f"{path}{DISCARDED}")
            checksums.sum_file(path).unlink(missing_ok=True)


def random_states() -> dict:
    """The states of the global random generators of Python, numpy and MindSpore, as JSON can hold them."""
    state = np.random.get_state(legacy=False)
    twister = state["state"]
    return {
        "python": random.getstate(),
        "numpy": [
            state["bit_generator"],
            twister["key"].tolist(),
            twister["pos"],
            state["has_gauss"],
            state["gauss"],
        ],
        "mindspore": ms.get_rng_state().asnumpy().tolist(),
    }


def restore_random_states(states: dict) -> None:
    """Set the generators to `states`, a result of random_states."""
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    ms.set_rng_state(ms.Tensor(states["mindspore"], ms.get_rng_state().dtype))
