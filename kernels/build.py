"""Compile kernels/native for this machine at first use, and keep the library below the user's cache folder."""

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

SOURCES = Path(__file__).resolve().parent / "native"
COMPILER = "g++"
COMMAND = [COMPILER, "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fopenmp"]
ONEDNN = Path(ms.__file__).parent / "lib/libdnnl.so.3"  # MindSpore's own
ONEDNN_VERSION = (3, 10)  # native/onednn.h repeats its declarations
INSTRUCTIONS = "ONEDNN_MAX_CPU_ISA"
ALL_INSTRUCTIONS = 0  # dnnl_cpu_isa_default
PROCESSOR = Path("/proc/cpuinfo")
# lines that tell processors apart: of x86, then of ARM
PROCESSOR_LINES = ("flags", "model", "Features", "CPU implementer", "CPU variant", "CPU part")

_loaded: Path | None = None


def load() -> Path:
    """Load the compiled library. This process keeps it, even if the sources change later.

    Raises:
        UserError: it cannot be compiled or loaded, or MindSpore has another oneDNN.
    """
    global _loaded
    if _loaded is None:
        check_onednn()
        _loaded = build()
    return _loaded


def lift_limit() -> None:
    """Let oneDNN use all instructions of the processor. Call it before this process computes with oneDNN.

    utils.environment limits them for MindSpore's own convolutions, which the compiled ones replace.
    """
    if os.environ[INSTRUCTIONS] == SETTINGS[INSTRUCTIONS]:  # a user's own limit stays
        ctypes.CDLL(str(ONEDNN)).dnnl_set_max_cpu_isa(ALL_INSTRUCTIONS)


class _Version(ctypes.Structure):
    """The first fields of oneDNN's dnnl_version_t."""

    _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int)]


def read_onednn_version() -> tuple[int, int]:
    """Read (major, minor) of MindSpore's oneDNN; UserError if there is none."""
    try:
        function = ctypes.CDLL(str(ONEDNN)).dnnl_version
    except (OSError, AttributeError) as error:
        raise UserError(f"MindSpore's oneDNN cannot be loaded: {error}") from error
    function.restype = ctypes.POINTER(_Version)
    version = function().contents
    return version.major, version.minor


def check_onednn() -> None:
    """Raise UserError unless MindSpore has the oneDNN whose declarations native/onednn.h repeats."""
    found = read_onednn_version()
    if found != ONEDNN_VERSION:
        versions = ["{}.{}".format(*version) for version in (ONEDNN_VERSION, found)]
        raise UserError(f"they are written for oneDNN {versions[0]}, this MindSpore has {versions[1]}")


def find_library_path() -> Path:
    """Find the path of the library for these sources, this processor and this MindSpore."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise UserError("this user has no home folder to keep them in; XDG_CACHE_HOME may name another") from None
    processor = {line for line in PROCESSOR.read_text().splitlines() if line.startswith(PROCESSOR_LINES)}
    origin = hashlib.sha256("\n".join([ms.__version__, *COMMAND, *sorted(processor)]).encode())
    for path in sorted(SOURCES.glob("*.[ch]*")):
        origin.update(path.read_bytes())
    return cache / "decomr-mindspore" / f"native-{origin.hexdigest()[:12]}.so"


def build() -> Path:
    """Compile the library unless it exists; UserError if it cannot be compiled or loaded."""
    target = find_library_path()
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
