"""Train DecoMR: stage `dp` fits the CNet to IUV images, stage `end` the whole model.

    python train.py --dataset up-3d --num_epochs_dp 5 --num_epochs_end 30 --batch_size 16

Checkpoints: ckpt_dir/rank{r}/CNet_{epoch}.ckpt and dmr_{epoch}.ckpt. Log: log_dir/name/metrics.jsonl.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

from atlas.prepare import write_missing_tables
from training.engine import Training
from training.guards import Stopped, StopRequests, check_options
from training.ranks import Ranks, folder_of_rank_0
from training.resuming import protect_earlier_run
from training.run_log import RunLog
from utils.checkpoints import checkpoint, checksums
from utils.errors import UserError, run_command
from utils.folder_lock import FolderLock
from utils.optional_kernels import find_kernels
from utils.train_options import TrainOptions


def lock(folder: Path, ranks: Ranks) -> FolderLock:
    """The lock of a rank's folder; UserError on every rank when the folder of one of them is in use."""
    held = FolderLock(folder)
    acquired = held.acquire()
    if not ranks.any(not acquired):
        return held
    raise UserError(f"another rank's folder below {folder.parent} is in use.") if acquired else held.refusal()


def main() -> int:
    parser = TrainOptions()
    options = parser.parse_args()
    device = setup_device(options)
    check_options(options, device.target)
    kernels = find_kernels().choose(options.kernels)
    ranks = Ranks(device.rank, device.world_size)
    folder = Path(options.ckpt_dir) / f"rank{device.rank}"
    held = lock(folder, ranks)
    checksums.remove_leftovers(folder)
    if options.resume:
        # the networks are those of the saved state; config.json beside it, which describes them, is written anew later
        checkpoint.adopt_architecture(options, folder_of_rank_0(folder) / "state_*.ckpt", parser.stated())
    else:
        protect_earlier_run(folder, options, ranks)
    if device.rank == 0:
        write_missing_tables(options, part_weights=options.stage != "dp")
    with RunLog(options, is_main=device.rank == 0) as log, StopRequests(ranks, options.time_to_run) as stop:
        log.say(f"{device}, {kernels}")
        try:
            Training(options, ranks, log, stop, folder).run()
        except Stopped as stopped:
            log.say(f"{stopped.reason}, state saved; go on with --resume")
            return stopped.exit_code
        finally:
            held.release()
    return 0


if __name__ == "__main__":
    run_command(main)
