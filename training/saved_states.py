"""The last states of a run in one folder: everything that a resumed run needs, in state_{stage}_{step}.ckpt.

A state holds the parameters of a training step cell (weights, statistics, Adam's moments, loss scale,
counters) and a record of everything else (progress, options, random state) as JSON.
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

RECORD = checkpoint.STATE_RECORD  # key of the record among the parameters
STATE_NAME = re.compile(r"state_(\d)_(\d+)\.ckpt")
DISCARDED = ".discarded"
MAX_STEPS = 2**36


class Position(NamedTuple):
    """How far a run is; positions of one run are in order."""

    stage: int
    step: int  # of the stage, over all epochs

    @property
    def key(self) -> int:
        """A number in the same order."""
        return self.stage * MAX_STEPS + self.step

    @classmethod
    def of_key(cls, key: int) -> "Position":
        """The position whose `key` this is."""
        return cls(*divmod(key, MAX_STEPS))

    @property
    def file_name(self) -> str:
        """state_{stage}_{step}.ckpt."""
        return f"state_{self.stage}_{self.step:09d}.ckpt"


class State(NamedTuple):
    """A saved state: values by parameter name, and the record."""

    position: Position
    values: dict
    record: dict


class SavedStates:
    """The newest `keep` states of a run in `folder`.

    resumed: this run continues the one whose states are there. Those of a run that is not continued stay.
    """

    def __init__(self, folder, keep: int, resumed: bool):
        self.folder, self.keep = Path(folder), keep
        self.others = () if resumed else tuple(self.positions())

    def path(self, position: Position) -> Path:
        """Where the state of a position lies, or would."""
        return self.folder / position.file_name

    def positions(self) -> list[Position]:
        """Of the states in the folder, sound or not, newest first."""
        names = (STATE_NAME.fullmatch(path.name) for path in self.folder.glob("state_*.ckpt"))
        return sorted((Position(int(name[1]), int(name[2])) for name in names if name), reverse=True)

    def save(self, position: Position, step_cell, record: dict, alone: bool = False) -> Path:
        """Write a state, then remove the oldest ones above `keep`; or set all others aside, as of another numbering."""
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
        """The newest state up to `limit` that is as it was written; says which ones are not."""
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
        """Set states aside, so that they are not mistaken for what follows now."""
        for position in positions:
            path = self.path(position)
            path.rename(f"{path}{DISCARDED}")
            checksums.sum_file(path).unlink(missing_ok=True)


def random_states() -> dict:
    """The global random generators of Python, numpy and MindSpore, for the record of a state."""
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
    """Put the generators back into `states`, which random_states gave."""
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    ms.set_rng_state(ms.Tensor(states["mindspore"], ms.get_rng_state().dtype))
