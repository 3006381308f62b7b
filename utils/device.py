"""Where and how MindSpore runs: processor, mode, rank. Called once, by the entry scripts."""

import utils.environment  # noqa: F401, I001  must precede the import of MindSpore

import ctypes
import glob
import os
import re
import subprocess
from dataclasses import dataclass

import mindspore as ms
from mindspore import communication

from utils.errors import UserError, silence_warnings

# Graph mode is faster on CPUs (benchmarks/RESULTS.md); on GPUs and NPUs this has not been measured.
DEFAULT_MODES = {"CPU": "graph", "GPU": "graph", "Ascend": "graph"}
MODES = {"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}
# what libmindspore_gpu.so.11.6 is linked with
CUDA_LIBRARIES = (
    "libcudart.so.11.0", "libcublas.so.11", "libcudnn.so.8", "libcufft.so.10", "libcurand.so.10", "libcusolver.so.11",
    "libcusparse.so.11", "libnvrtc.so.11.2",
)  # fmt: skip


CUDA_RELEASES = ("11.6", "11.7", "11.8")  # for which MindSpore takes that part


@dataclass(frozen=True)
class Device:
    """What this process computes on, and its place among the ranks."""

    target: str  # CPU, GPU or Ascend
    mode: str  # graph or pynative
    reason: str  # why this target
    rank: int = 0
    world_size: int = 1

    def __str__(self) -> str:
        ranks = f", rank {self.rank} of {self.world_size}" if self.world_size > 1 else ""
        return f"device {self.target} ({self.reason}), {self.mode} mode{ranks}"


def setup_device(options) -> Device:
    """Set MindSpore up as `options` say (device_target, device_id, mode, no_tf32, run_distribute, seed)."""
    target, reason = choose_target(options.device_target)
    if target == "CPU" or options.run_distribute:
        ms.set_device(target)
    else:
        ms.set_device(target, options.device_id)
    mode = DEFAULT_MODES[target] if options.mode == "auto" else options.mode
    ms.set_context(mode=MODES[mode])
    if options.no_tf32:
        forbid_tf32(target)
    rank, world_size = 0, 1
    if options.run_distribute:
        rank, world_size = _join_ranks()
    if rank:
        silence_warnings()
    # the same initial weights on every rank; items and shuffling have their own streams
    ms.set_seed(options.seed)
    return Device(target, mode, reason, rank, world_size)


def forbid_tf32(target: str) -> None:
    """Let convolutions and products of float32 on a GPU or NPU compute in float32 alone."""
    if target == "GPU":
        ms.device_context.gpu.op_precision.conv_allow_tf32(False)
        ms.device_context.gpu.op_precision.matmul_allow_tf32(False)
    elif target == "Ascend":
        ms.device_context.ascend.op_precision.conv_allow_hf32(False)
        ms.device_context.ascend.op_precision.matmul_allow_hf32(False)


def choose_target(wanted: str) -> tuple[str, str]:
    """(target, reason); UserError when the wanted device cannot be used."""
    if wanted == "CPU":
        return "CPU", "as asked"
    usable = [target for target in ("GPU", "Ascend") if ms.hal.is_available(target)]
    if wanted == "auto" and usable:
        return usable[0], "usable here"
    if wanted == "auto":
        return "CPU", f"a GPU is there, but {gpu_lacks()}" if _has_gpu() else "no usable GPU or NPU"
    if wanted not in usable:
        lacking = gpu_lacks() if wanted == "GPU" else "check its driver and libraries (LD_LIBRARY_PATH)"
        raise UserError(
            f"--device_target {wanted}: MindSpore finds no usable {wanted} here: {lacking}; or use --device_target CPU."
        )
    return wanted, "as asked"


def gpu_lacks() -> str:
    """What this machine lacks to compute on an NVIDIA GPU, and what to do about it, in one line."""
    if not _loads("libcuda.so.1"):
        return "there is no NVIDIA driver (libcuda.so.1)"
    if not _has_gpu():
        return "the NVIDIA driver shows no GPU (/dev/nvidia0)"
    missing = [name for name in CUDA_LIBRARIES if not _loads(name)]
    if missing:
        return (
            f"LD_LIBRARY_PATH leads to no {', '.join(missing)}: pip install -r requirements-gpu.txt, then "
            ". scripts/env_gpu.sh in the shell that starts Python"
        )
    home = os.environ.get("CUDA_HOME")
    if not home:
        return "CUDA_HOME is not set, without which MindSpore loads no GPU part: . scripts/env_gpu.sh sets it"
    release = cuda_release(home)
    if release not in CUDA_RELEASES:
        found = f"CUDA {release}" if release else "no bin/nvcc that says its release"
        return (
            f"CUDA_HOME={home} has {found}, MindSpore's GPU part needs CUDA {CUDA_RELEASES[0]} to {CUDA_RELEASES[-1]}: "
            "unset CUDA_HOME, pip install -r requirements-gpu.txt, then . scripts/env_gpu.sh"
        )
    return "driver and libraries are there, yet its GPU part does not start; GLOG_v=1 shows why"


def cuda_release(home: str) -> str:
    """The release, such as 11.8, of the CUDA toolkit in `home` by its nvcc; "" where that does not say."""
    try:
        said = subprocess.run([f"{home}/bin/nvcc", "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"release (\d+\.\d+)", said)
    return found[1] if found else ""


def _has_gpu() -> bool:
    return bool(glob.glob("/dev/nvidia[0-9]*"))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _join_ranks() -> tuple[int, int]:
    try:
        communication.init()
    except (RuntimeError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        if "timed out node" in first_line:  # msrun's scheduler, which waits in init() until the ranks have ended
            raise UserError(f"a rank was lost, so the others end too; MindSpore says: {first_line}") from error
        raise UserError(f"--run_distribute: start with mpirun or msrun; MindSpore says: {first_line}") from error
    rank, world_size = communication.get_rank(), communication.get_group_size()
    ms.set_auto_parallel_context(
        parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True, device_num=world_size
    )
    return rank, world_size
