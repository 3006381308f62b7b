"""Where a resumed run goes on: a saved state that every rank has, and the step at which this run continues it.

The same run goes on at any step, each rank from its own state. With another number of ranks or another batch size the
steps of an epoch are others, so that it goes on at the border of an epoch alone, and every rank from rank 0's state.
"""

from typing import NamedTuple

from training.ranks import Ranks, folder_of_rank_0
from training.saved_states import Position, SavedStates, State
from training.stages import STAGES
from utils.errors import UserError

FIXED = ("dataset", "seed", "val_share", "shuffle_train")  # options that decide what a stage learns from
BATCH = ("batch_size", "accumulate")  # with the number of ranks, what a step is
NONE = "--resume: there is no saved state in {}, or not on every rank. Start without --resume, or with --fresh."


class Resumed(NamedTuple):
    """saved: the position in the steps of the run that saved it; position: the same in the steps of this one."""

    saved: Position
    position: Position
    values: dict  # name -> parameter
    record: dict
    is_renumbered: bool


def find_state(states: SavedStates, options, ranks: Ranks, steps_per_epoch: int, samples: int, say) -> Resumed:
    """The newest state to go on from. `samples`: of the training list; say: called with lines for the user.

    UserError where there is none, or where it is of a run that this one cannot continue.
    """
    own = states.newest_sound(None, say)
    state = _of_rank_0(own, states, ranks)
    if state is None:
        state = _newest_of_all(own, states, ranks, say)
    changed = _check(state, options, ranks.size, samples)
    if not changed:
        return Resumed(state.position, state.position, state.values, state.record, False)
    stage = next(stage for stage in STAGES.values() if stage.number == state.position.stage)
    epoch = state.record["epoch"]
    if state.record["batch"]:
        raise UserError(
            f"--resume: the saved run had {', '.join(changed)}, and stands within epoch {epoch + 1} of stage "
            f"{stage.name}. That can change at the end of an epoch: train to it as before with --stage {stage.name} "
            f"--{stage.epochs} {epoch + 1}, then resume with the new values. Or give the same, or start with --fresh."
        )
    say(f"--resume: the saved run had {', '.join(changed)}; going on after epoch {epoch} of stage {stage.name}")
    position = Position(stage.number, epoch * steps_per_epoch)
    return Resumed(state.position, position, state.values, state.record, True)


def _of_rank_0(own: State | None, states: SavedStates, ranks: Ranks) -> State | None:
    """Rank 0's newest state where another number of ranks saved it, `own` being the rank's; None: each has its own."""
    key, size = own.position.key if own else 0, own.record.get("ranks", 1) if own else 0
    key, size = ranks.gather(key)[0], ranks.gather(size)[0]
    if not size:
        raise UserError(NONE.format(states.folder))
    return None if size == ranks.size else _read_of_rank_0(states, Position.of_key(key), ranks)


def _newest_of_all(own: State | None, states: SavedStates, ranks: Ranks, say) -> State:
    """The newest state that is sound on every rank; `own`: the newest of this one."""
    while True:
        found = ranks.gather(own.position.key + 1 if own else 0)
        if own is None or not min(found):
            raise UserError(NONE.format(states.folder))
        if min(found) == max(found):
            return own
        own = states.newest_sound(Position.of_key(min(found) - 1), say)


def _read_of_rank_0(states: SavedStates, position: Position, ranks: Ranks) -> State:
    """Rank 0's state at `position`; UserError on all ranks where one of them does not see it."""
    source = SavedStates(folder_of_rank_0(states.folder), states.keep, resumed=True)
    state, problem = None, "another rank does not see it."
    try:
        state = State(position, *source.read(position))
    except UserError as error:
        problem = str(error)
    if ranks.any(state is None) or state is None:
        raise UserError(
            f"--resume with another number of ranks: every rank reads {source.path(position)}, but {problem} "
            "Let all of them see --ckpt_dir."
        )
    return state


def _check(state: State, options, size: int, samples: int) -> list[str]:
    """What of a step is not as it was saved, in words; UserError where the run is another."""
    record, now = state.record, vars(options)
    saved = record["options"]
    # the epochs of stage end are counted from those of stage dp
    fixed = (*FIXED, "num_epochs_dp") if state.position.stage == STAGES["end"].number else FIXED
    others = [f"--{name} {saved.get(name)} (now {now[name]})" for name in fixed if saved.get(name) != now[name]]
    if record.get("samples", samples) != samples:
        others.append(f"{record['samples']} training samples (now {samples})")
    if others:
        raise UserError(f"--resume: the saved run had {', '.join(others)}. Give the same, or start anew with --fresh.")
    changed = [f"--{name} {saved.get(name)} (now {now[name]})" for name in BATCH if saved.get(name) != now[name]]
    return changed + ([f"{record['ranks']} ranks (now {size})"] if record["ranks"] != size else [])


def say_changes(record: dict, options, say) -> None:
    """Name the options of the saved run that are others now, and that a run may change."""
    saved, now = record["options"], vars(options)
    for name in now:
        if name not in ("resume", "fresh", *BATCH) and name in saved and saved[name] != now[name]:
            say(f"resumed with another --{name}: {saved[name]} -> {now[name]}")
