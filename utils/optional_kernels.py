"""The door to the folder kernels/, which may be removed: everything runs without it, slower on a CPU.

kernels = find_kernels()
print(kernels.choose(options.kernels))
kernels.accelerate(network, options.kernels)
"""

import importlib

from utils.errors import UserError


class NoKernels:
    """What is taken in place of kernels/ where that cannot be imported: MindSpore's own kernels."""

    REASON = "kernels/ cannot be imported"

    @classmethod
    def choose(cls, wanted: str = "auto") -> str:
        """Say which kernels are taken; UserError where compiled ones are wanted."""
        if wanted == "compiled":
            raise UserError(f"--kernels compiled: {cls.REASON}. Or use --kernels auto.")
        return "MindSpore's kernels" if wanted == "mindspore" else f"MindSpore's kernels ({cls.REASON})"

    @classmethod
    def accelerate(cls, network, wanted: str = "auto", weights_stay: bool = False) -> None:
        """Leave `network` as it is."""
        cls.choose(wanted)


def find_kernels():
    """The package kernels/, or NoKernels; entry scripts and training/stages.py call `choose` and `accelerate` of it."""
    try:
        return importlib.import_module("kernels")
    except ImportError:
        return NoKernels
