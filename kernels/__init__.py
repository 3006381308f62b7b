"""Compiled kernels for a CPU, behind one function: accelerate(network).

The networks in models/ consist of MindSpore's own layers. If a layer has a faster form in kernels/layers.py,
`accelerate` changes its class to that form; parameters keep their names. Without this folder everything still runs,
but slower.
"""

import mindspore as ms
from mindspore import nn

from kernels import build
from kernels.layers import FASTER
from utils.errors import UserError

COMPILED = "compiled kernels"


def choose(wanted: str = "auto") -> str:
    """Say which kernels accelerate(network, wanted) takes, and compile them if they are missing.

    Args:
        wanted: auto (compiled kernels on a CPU if they can be compiled, else MindSpore's), compiled or mindspore.
    Returns:
        The choice in words.
    Raises:
        UserError: compiled kernels are wanted, but not available.
    """
    if wanted == "mindspore":
        return "MindSpore's kernels"
    target = ms.get_context("device_target")
    try:
        if target != "CPU":
            raise UserError("they are for a CPU")
        build.load()
        build.lift_limit()
    except UserError as error:
        if wanted == "compiled":
            raise UserError(f"--kernels compiled: {error}. Or use --kernels auto.") from error
        return f"MindSpore's kernels ({error})" if target == "CPU" else "MindSpore's kernels"
    return COMPILED


def _fits(faster: type, cell: nn.Cell) -> bool:
    """Tell whether a class of FASTER can take the place of the class of `cell`."""
    return not hasattr(faster, "fits") or faster.fits(cell)


def accelerate(network: nn.Cell, wanted: str = "auto", weights_stay: bool = False) -> None:
    """Let the layers of `network` compute with compiled kernels, if they are available: float32, CPU.

    Call it on a finished network: after BatchNorm is synchronised or folded, before the first call.

    Args:
        network: any cell, such as a network, a models.inference.MeshPredictor or a models.training_step.TrainingStep.
        wanted: as in choose.
        weights_stay: the weights do not change any more, so that convolutions keep what they have made of them at the
            first call. For inference, which then needs memory for a second copy of the weights.
    Raises:
        UserError: compiled kernels are wanted, but not available.
    """
    if choose(wanted) != COMPILED:
        return
    for _, cell in network.cells_and_names():
        faster = next((found for found in FASTER.get(type(cell), ()) if _fits(found, cell)), None)
        if faster is None:
            continue
        cell.__class__ = faster  # the object and its parameters stay the same for everyone who holds it
        cell.prepare(weights_stay)
