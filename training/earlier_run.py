"""What an earlier training left in a folder of checkpoints: it is gone on with or moved aside, never overwritten."""

import datetime
import re
import shutil
from pathlib import Path

from training.ranks import Ranks
from training.run_log import METRICS_NAME
from training.saved_states import DISCARDED, STATE_NAME
from training.stages import STAGES
from utils.checkpoints import checkpoint, checksums
from utils.errors import CannotWrite, UserError

ASIDE = "before_{:%Y%m%d_%H%M%S}"  # the subfolder, by the date at which it is made


def settle(folder: Path, options, ranks: Ranks) -> None:
    """Refuse a rank's `folder` that holds files which this training would replace; with --fresh move them aside.

    UserError on every rank where one of them refuses.
    """
    if options.resume and options.fresh:
        raise UserError("--resume continues the training in --ckpt_dir, --fresh starts another; give one of them.")
    if options.resume:
        return
    found = files_of_training(folder, options.stage)
    if options.fresh:
        move_aside(folder, found)
        if ranks.rank == 0:
            logs = Path(options.log_dir) / options.name
            move_aside(logs, files_of_log(logs))
    elif ranks.any(bool(found)):
        raise refusal(folder, found)


def refusal(folder: Path, found: list[Path]) -> UserError:
    """What to say where `found` lies in a rank's `folder`; where nothing does, in that of another rank."""
    names = [path.name for path in found if path.suffix == ".ckpt"]
    states = [name for name in names if STATE_NAME.fullmatch(name)]
    place = f"{folder} holds {(states or names)[-1]}" if names else f"a rank's folder below {folder.parent} holds files"
    resume = "continue it with --resume, " if states or not names else ""
    return UserError(
        f"{place} of an earlier training: {resume}start anew with --fresh, which moves its files into a subfolder, "
        "or choose another --ckpt_dir."
    )


def files_of_training(folder: Path, stage: str | None) -> list[Path]:
    """States and weights of `stage` (None: both) in `folder`, sorted, with what lies beside them.

    The weights that stage end starts from, and the states of stage dp, stay where they are when it is trained alone.
    """
    chosen = [entry for entry in STAGES.values() if stage in (None, entry.name)]
    if stage == "dp":
        chosen = list(STAGES.values())  # what was built on an earlier CNet is not of this one
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


def move_aside(folder: Path, files: list[Path]) -> Path | None:
    """Move `files` of `folder` into a new subfolder named by the date; None where there are none."""
    if not files:
        return None
    target = folder / ASIDE.format(datetime.datetime.now())
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{target.name.partition('-')[0]}-{number}")
    try:
        target.mkdir()
        for path in files:
            if path.name == checkpoint.CONFIG_NAME:  # the weights that stay are described by it too
                shutil.copy2(path, target)
            else:
                path.rename(target / path.name)
    except OSError as error:
        raise CannotWrite.because(target, error) from error
    print(f"moved to {target}: {len(files)} files of an earlier training")
    return target
