"""`--mode fused`: graph mode in which neighbouring elementwise operators become one kernel.

MindSpore's kernel compiler (AKG, a part of its wheel) makes them for this processor. It takes about half a second a
kernel, once: kernels are kept on disk, below the user's cache folder.
"""

import atexit
import os
from pathlib import Path

import mindspore as ms

from utils.errors import UserError
from utils.files import make_folder
from utils.kernel_folder import kernel_folder

# What may become part of a fused kernel. Of the others the compiler refuses Round, and a mixture of Add, Reshape,
# BiasAdd and ReLU ended it with a segmentation fault.
OPERATORS = ("Add", "Sub", "Mul", "ReLU", "Square")
LOG = Path("dsa_transfrom.log")  # which the compiler leaves in the current folder


def enable(target: str) -> None:
    """Let graphs that are compiled from now on have fused kernels; UserError for another target than CPU."""
    if target != "CPU":
        raise UserError(f"--mode fused is for the CPU, not for {target}: choose --mode graph.")
    # the name of MindSpore's variable for all that it compiles; a user's own folder is kept
    os.environ.setdefault("MS_COMPILER_CACHE_PATH", str(kernel_folder()))
    make_folder(Path(os.environ["MS_COMPILER_CACHE_PATH"]))
    os.environ.setdefault("AKG_WHITE_LIST_PATH", "/")  # without it the compiler prints a line for every kernel
    if not LOG.exists():
        atexit.register(LOG.absolute().unlink, missing_ok=True)
    names = ",".join(OPERATORS)
    flags = f"--enable_cluster_ops_only={names} --enable_expand_ops_only={names}"
    ms.set_context(enable_graph_kernel=True, graph_kernel_flags=flags)
