"""Where and how MindSpore runs: processor, mode, rank. Called once, by the entry scripts."""

import utils.environment  # noqa: F401, I001  must precede the import of MindSpore

from dataclasses import dataclass

import mindspore as ms
from mindspore import communication

from utils.errors import UserError

# the faster mode of each processor, measured by benchmarks
DEFAULT_MODES = {"CPU": "graph", "GPU": "graph", "Ascend": "graph"}
MODES = {"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}


@dataclass(frozen=True)
class Device:
    target: str  # CPU, GPU or Ascend
    mode: str  # graph or pynative
    reason: str  # why this target
    rank: int = 0
    world_size: int = 1

    def __str__(self) -> str:
        ranks = f", rank {self.rank} of {self.world_size}" if self.world_size > 1 else ""
        return f"device {self.target} ({self.reason}), {self.mode} mode{ranks}"


def setup_device(options) -> Device:
    """Set MindSpore up as `options` say (device_target, device_id, mode, run_distribute, seed)."""
    target, reason = choose_target(options.device_target)
    if target == "CPU" or options.run_distribute:
        ms.set_device(target)
    else:
        ms.set_device(target, options.device_id)
    mode = DEFAULT_MODES[target] if options.mode == "auto" else options.mode
    ms.set_context(mode=MODES[mode])
    rank, world_size = 0, 1
    if options.run_distribute:
        rank, world_size = _join_ranks()
    # the same initial weights on every rank; items and shuffling have their own streams
    ms.set_seed(options.seed)
    return Device(target, mode, reason, rank, world_size)


def choose_target(wanted: str) -> tuple[str, str]:
    """(target, reason); UserError when the wanted device cannot be used."""
    if wanted == "CPU":
        return "CPU", "as asked"
    usable = [target for target in ("GPU", "Ascend") if ms.hal.is_available(target)]
    if wanted == "auto":
        return (usable[0], "usable here") if usable else ("CPU", "no usable GPU or NPU")
    if wanted not in usable:
        raise UserError(
            f"--device_target {wanted}: MindSpore finds no usable {wanted} here. Check its driver and "
            "libraries (LD_LIBRARY_PATH), or use --device_target CPU."
        )
    return wanted, "as asked"


def _join_ranks() -> tuple[int, int]:
    try:
        communication.init()
    except (RuntimeError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise UserError(f"--run_distribute: start with mpirun or msrun; MindSpore says: {first_line}") from error
    rank, world_size = communication.get_rank(), communication.get_group_size()
    ms.set_auto_parallel_context(
        parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True, device_num=world_size
    )
    return rank, world_size
