"""What a training does with the files of an earlier one in its folder.

Without --resume, `protect_earlier_run` refuses to overwrite them, or with --fresh moves them into a subfolder. With
--resume, `find_state` finds the saved state and the step to go on from.

The same run can go on at any step, each rank from its own state. With another number of ranks or another batch size
an epoch has another number of steps. Such a run can go on at the end of an epoch only, and every rank starts from rank
0's state.
"""

import datetime
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from training.ranks import Ranks, folder_of_rank_0
from training.run_log import METRICS_NAME
from training.saved_states import DISCARDED, STATE_NAME, Position, SavedStates, State
from training.stages import STAGES
from utils.checkpoints import checkpoint, checksums
from utils.errors import CannotWrite, UserError

ASIDE = "before_{:%Y%m%d_%H%M%S}"  # the subfolder of --fresh, by the date at which it is made
FIXED = ("dataset", "seed", "val_share", "shuffle_train")  # options that decide what a stage learns from
BATCH = ("batch_size", "accumulate")  # with the number of ranks they decide what a step is
NOT_OF_THE_RUN = ("resume", "fresh", "compile_cache")  # options whose change is not worth a line
NONE = "--resume: there is no saved state in {}, or not on every rank. Start without --resume, or with --fresh."

# ---- starting where an earlier training left files ----


def protect_earlier_run(folder: Path, options, ranks: Ranks) -> None:
    """Refuse a rank's `folder` that holds files which this training would replace; with --fresh move them aside.

    UserError on every rank when one of them has such a folder.
    """
    found = files_of_training(folder, options.stage)
    if options.fresh:
        move_aside(folder, found)
        if ranks.rank == 0:
            logs = Path(options.log_dir) / options.name
            move_aside(logs, files_of_log(logs))
    elif ranks.any(bool(found)):
        raise refusal(folder, found)


def refusal(folder: Path, found: list[Path]) -> UserError:
    """The error that names the files `found` in a rank's `folder`; without any, another rank has found some."""
    names = [path.name for path in found if path.suffix == ".ckpt"]
    states = [name for name in names if STATE_NAME.fullmatch(name)]
    place = f"{folder} holds {(states or names)[-1]}" if names else f"a rank's folder below {folder.parent} holds files"
    resume = "continue it with --resume, " if states or not names else ""
    return UserError(
        f"{place} of an earlier training: {resume}start anew with --fresh, which moves its files into a subfolder, "
        "or choose another --ckpt_dir."
    )


def files_of_training(folder: Path, stage: str | None) -> list[Path]:
    """States and weights of `stage` (None: both) in `folder`, sorted, with their checksums and config.json.

    When stage end is trained alone, the CNet weights that it starts from and the states of stage dp are not among them.
    """
    chosen = [entry for entry in STAGES.values() if stage in (None, entry.name)]
    if stage == "dp":
        chosen = list(STAGES.values())  # the weights of stage end belong to the earlier CNet
    found = []
    for path in sorted(folder.glob("*.ckpt*")):
        name = path.name.removesuffix(checksums.SUFFIX).removesuffix(DISCARDED)
        state = STATE_NAME.fullmatch(name)
        is_state = state is not None and int(state[1]) in {entry.number for entry in chosen}
        if is_state or any(re.fullmatch(rf"{entry.prefix}_(\d+|best)\.ckpt", name) for entry in chosen):
            found.append(path)
    config_file = folder / checkpoint.CONFIG_NAME
    return [*found, config_file] if found and config_file.is_file() else found


def files_of_log(folder: Path) -> list[Path]:
    """What a run wrote into the folder of its log."""
    names = (METRICS_NAME, *STAGES, *(f"{stage}_*.png" for stage in STAGES))
    return [path for name in names for path in sorted(folder.glob(name))]


def move_aside(folder: Path, files: list[Path]) -> None:
    """Move `files` of `folder` into a new subfolder named by the date, and say so; without files do nothing."""
    if not files:
        return
    target = folder / ASIDE.format(datetime.datetime.now())
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{target.name.partition('-')[0]}-{number}")
    try:
        target.mkdir()
        for path in files:
            if path.name == checkpoint.CONFIG_NAME:  # it also describes the weights that stay
                shutil.copy2(path, target)
            else:
                path.rename(target / path.name)
    except OSError as error:
        raise CannotWrite.because(target, error) from error
    print(f"moved to {target}: {len(files)} files of an earlier training")


# ---- going on from a saved state ----


class Resumed(NamedTuple):
    """The state to go on from, and where it stands in this run."""

    saved: Position  # counted in steps of the run that saved it
    position: Position  # counted in steps of this run
    values: dict  # name -> parameter
    record: dict
    is_renumbered: bool  # whether the two runs count steps differently


def find_state(states: SavedStates, options, ranks: Ranks, steps_per_epoch: int, samples: int, say) -> Resumed:
    """The newest state to go on from.

    samples: the length of the training list. say: called with lines for the user. UserError where there is no state,
    or this run cannot continue the one that saved it.
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
    """Rank 0's newest state if a run of another number of ranks saved it; None if each rank goes on from its own.

    own: the newest state of this rank.
    """
    key, size = own.position.key if own else 0, own.record.get("ranks", 1) if own else 0
    key, size = ranks.gather(key)[0], ranks.gather(size)[0]
    if not size:
        raise UserError(NONE.format(states.folder))
    return None if size == ranks.size else _read_of_rank_0(states, Position.of_key(key), ranks)


def _newest_of_all(own: State | None, states: SavedStates, ranks: Ranks, say) -> State:
    """The newest state that is sound on every rank; `own`: the newest of this rank."""
    while True:
        found = ranks.gather(own.position.key + 1 if own else 0)
        if own is None or not min(found):
            raise UserError(NONE.format(states.folder))
        if min(found) == max(found):
            return own
        own = states.newest_sound(Position.of_key(min(found) - 1), say)


def _read_of_rank_0(states: SavedStates, position: Position, ranks: Ranks) -> State:
    """Rank 0's state at `position`; UserError on all ranks when one of them does not see it."""
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
    """What has changed in the meaning of a step, in words; UserError where the saved run learns from something else."""
    record, now = state.record, vars(options)
    saved = record["options"]
    # the epochs of stage end are counted on from those of stage dp
    fixed = (*FIXED, "num_epochs_dp") if state.position.stage == STAGES["end"].number else FIXED
    others = [f"--{name} {saved.get(name)} (now {now[name]})" for name in fixed if saved.get(name) != now[name]]
    if record.get("samples", samples) != samples:
        others.append(f"{record['samples']} training samples (now {samples})")
    if others:
        raise UserError(f"--resume: the saved run had {', '.join(others)}. Give the same, or start anew with --fresh.")
    changed = [f"--{name} {saved.get(name)} (now {now[name]})" for name in BATCH if saved.get(name) != now[name]]
    return changed + ([f"{record['ranks']} ranks (now {size})"] if record["ranks"] != size else [])


def say_changes(record: dict, options, say) -> None:
    """Name the options that differ from those of the saved run and may differ."""
    saved, now = record["options"], vars(options)
    for name in now:
        if name not in (*NOT_OF_THE_RUN, *BATCH) and name in saved and saved[name] != now[name]:
            say(f"resumed with another --{name}: {saved[name]} -> {now[name]}")
