"""The C++ of `native/`: compiled for this machine at first use, and kept below the user's cache folder."""

import ctypes
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import mindspore as ms

from utils.environment import SETTINGS
from utils.errors import UserError
from utils.files import atomic_path

SOURCES = Path(__file__).resolve().parent.parent / "native"
COMPILER = "g++"
COMMAND = [COMPILER, "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp"]
ONEDNN = Path(ms.__file__).parent / "lib/libdnnl.so.3"  # MindSpore's own
INSTRUCTIONS = "ONEDNN_MAX_CPU_ISA"
ALL_INSTRUCTIONS = 0  # dnnl_cpu_isa_default
PROCESSOR = Path("/proc/cpuinfo")

_library: Path | None = None


def in_use() -> bool:
    """Whether networks that are built from now on have the compiled kernels."""
    return _library is not None


def library() -> Path:
    """The compiled code that is in use, whatever becomes of the sources meanwhile."""
    if _library is None:
        raise RuntimeError("no compiled kernels are in use: native_code.choose decides it")
    return _library


def choose(wanted: str, target: str, precision: str) -> str:
    """Take the kernels that `wanted` says (auto, compiled, mindspore) for networks built from now on.

    auto: those of native/ in float32 on a CPU where they can be compiled, MindSpore's elsewhere.

    Args:
        target: CPU, GPU or Ascend.
        precision: O0 for float32.
    Returns:
        What was chosen, in words; "" on other targets.
    Raises:
        UserError: compiled ones are asked for and cannot be had.
    """
    global _library
    _library = None
    if wanted == "mindspore":
        return "MindSpore's kernels"
    try:
        if target != "CPU" or precision != "O0":
            raise UserError("they are float32, for a CPU")
        _library = build()
    except UserError as error:
        if wanted == "compiled":
            raise UserError(f"--kernels compiled: {error}. Or use --kernels auto.") from error
        return f"MindSpore's kernels ({error})" if target == "CPU" else ""
    if os.environ[INSTRUCTIONS] == SETTINGS[INSTRUCTIONS]:  # a user's own limit stays
        ctypes.CDLL(str(ONEDNN)).dnnl_set_max_cpu_isa(ALL_INSTRUCTIONS)
    return "compiled kernels"


def library_path() -> Path:
    """Where the sources of now are, or will be, compiled to for this processor and this MindSpore."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise UserError("this user has no home folder to keep them in; XDG_CACHE_HOME may name another") from None
    processor = {line for line in PROCESSOR.read_text().splitlines() if line.startswith(("flags", "model"))}
    origin = hashlib.sha256("\n".join([ms.__version__, *COMMAND, *sorted(processor)]).encode())
    for path in sorted(SOURCES.glob("*.[ch]*")):
        origin.update(path.read_bytes())
    return cache / "decomr-mindspore" / f"native-{origin.hexdigest()[:12]}.so"


def build() -> Path:
    """The compiled library; UserError where it cannot be compiled or loaded."""
    target = library_path()
    try:
        if not target.exists():
            if not shutil.which(COMPILER):
                raise UserError(f"there is no C++ compiler ({COMPILER}) here")
            with atomic_path(target) as temporary:
                command = [*COMMAND, "-o", temporary, *sorted(SOURCES.glob("*.cc")), ONEDNN]
                subprocess.run(command, check=True, capture_output=True, text=True)
        ctypes.CDLL(str(target))
    except subprocess.CalledProcessError as error:
        lines = error.stderr.splitlines()
        raise UserError(f"{COMPILER} fails: {next((line for line in lines if 'error' in line), lines[:1])}") from error
    except OSError as error:
        raise UserError(f"the compiled code cannot be loaded: {error}") from error
    return target
