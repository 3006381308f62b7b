"""The environment in which a program takes this machine for one with NVIDIA GPUs."""

import ctypes
import os
import re
from pathlib import Path

from tests.fake_gpu import build

# for os.environ: MindSpore says in the log which operators of a graph it computes on the CPU for lack of a GPU kernel
SHOW_BACKOFFS = {"GLOG_v": "2", "MS_SUBMODULE_LOG_v": "{DEVICE:1}"}
# for os.environ: MindSpore does not do so, but ends with "Kernel select failed" and "Unsupported op [NAME] on GPU"
FORBID_BACKOFFS = {"MS_DISABLE_KERNEL_BACKOFF": "1"}
_BACKOFF = re.compile(
    r"on CPU successfully for node: (?:[^,\n]*/)?(\w+?)-op\d+"  # in a graph, level INFO
    r"|(\w+) select kernel failed[,.] [Tt]ry to backoff on CPU"  # of an operator that is made of others, WARNING
)


def environment(
    devices: int = 1, finite: bool = True, log: str | os.PathLike | None = None, free_gb: int = 38
) -> dict[str, str]:
    """What to add to os.environ for a program that shall run on the stand-in. Builds the libraries first if needed.

    `devices` is the number of GPUs. `finite` is what MindSpore's operator IsFinite answers. Every process of the
    program appends its events to the file `log`. `free_gb` is the free memory of each GPU, out of 40 GiB.
    Raises build.StandInUnavailable where the libraries cannot be built.
    """
    folder = build.built()
    if re.search("[: ]", str(folder)):
        raise build.StandInUnavailable(f"LD_PRELOAD takes no path with a space or a colon: {folder}")
    mindspore = build.mindspore_folder()
    preloaded = [str(folder / name) for name in (build.RECORDER, *(library.soname for library in build.LIBRARIES))]
    found = [folder, mindspore / "lib", mindspore / "lib/plugin/gpu", mindspore / "lib/plugin/gpu11.6"]
    return {
        # the GPU part has an RPATH and would find MindSpore's own kernels and NCCL, but a loaded library comes first
        "LD_PRELOAD": _joined(preloaded, os.environ.get("LD_PRELOAD", "")),
        "LD_LIBRARY_PATH": _joined(map(str, found), os.environ.get("LD_LIBRARY_PATH", "")),
        "CUDA_HOME": str(folder / "cuda_home"),
        "PATH": f"{folder / 'cuda_home/bin'}{os.pathsep}{os.environ['PATH']}",
        "FAKE_GPU_DEVICES": str(devices),
        "FAKE_GPU_FINITE": "yes" if finite else "no",
        "FAKE_GPU_LOG": str(Path(log).resolve()) if log else "",
        "FAKE_GPU_FREE_GB": str(free_gb),
    }


def _joined(first, others: str) -> str:
    """A list for the loader: `first`, then what else the variable held."""
    return ":".join(dict.fromkeys([*first, *filter(None, re.split("[: ]", others))]))


def library(soname: str) -> Path:
    """The file that stands in for a library, e.g. libcudnn.so.8."""
    return build.built() / soname


def mark(text: str) -> None:
    """Add the event "mark" with `text` to the record, if this process runs on the stand-in; otherwise do nothing."""
    function = getattr(ctypes.CDLL(None), "fake_gpu_mark", None)
    if function is not None:
        function.argtypes = [ctypes.c_char_p]
        function.restype = None
        function(text.encode())


def backoffs(stderr: str) -> list[str]:
    """Operators that MindSpore computes on the CPU for lack of a GPU kernel, once for each place in a graph.

    `stderr` is what a program with SHOW_BACKOFFS in its environment printed. Operators outside of graphs have no such
    way out: MindSpore then ends with "Kernel select failed".
    """
    return [name for pair in _BACKOFF.findall(stderr) for name in pair if name]
