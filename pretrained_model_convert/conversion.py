"""Convert weights from PyTorch to MindSpore and back: match them by name, then check them by running both networks.

Names differ only in norm layers: PyTorch's weight, bias, running_mean, running_var are MindSpore's gamma, beta,
moving_mean, moving_variance. The MindSpore network tells which layers are norms.
"""

import models  # noqa: F401, I001  settings that must precede the import of MindSpore

from pathlib import Path

import mindspore as ms
import numpy as np
import torch

from pretrained_model_convert.files import read_pytorch, write_pytorch
from pretrained_model_convert.pairs import PAIRS
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.files import atomic_path

PYTORCH_NAMES = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
COUNTER = "num_batches_tracked"  # PyTorch's BatchNorm counts batches; nothing depends on it
TOLERANCE = 1e-4  # of the largest output


def get_pytorch_name(name: str) -> str:
    """Translate MindSpore's name of a parameter to PyTorch's."""
    path, _, last = name.rpartition(".")
    return f"{path}.{PYTORCH_NAMES.get(last, last)}" if path else PYTORCH_NAMES.get(last, last)


def match(found: dict, expected: dict, source: Path) -> None:
    """Print how well `found` (name -> shape) fits `expected`; UserError unless every name and shape fits."""
    problems = [f"missing: {name} {expected[name]}" for name in expected if name not in found]
    problems += [f"unknown: {name} {found[name]}" for name in found if name not in expected]
    problems += [
        f"misshaped: {name} is {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    matched = sum(found.get(name) == shape for name, shape in expected.items())
    print(f"{source}: {matched} of {len(expected)} tensors match by name and shape")
    for problem in problems:
        print(f"  {problem}")
    if problems:
        raise UserError(
            f"{source} does not fit the network: {len(problems)} names are missing, unknown or misshaped, "
            f"first {problems[0]}. Nothing is written."
        )


def get_shapes(values: dict) -> dict:
    """Get the shape of every array, by name."""
    return {name: tuple(value.shape) for name, value in values.items()}


def convert_to_mindspore(model: str, pth_file: Path, msp_file: Path, options, given: set) -> None:
    """Write `msp_file` from `pth_file`, if both networks compute the same from a random input.

    given: names of the options on the command line; the others come from a config.json near the file and the weights.
    """
    if msp_file.suffix != ".ckpt":
        raise UserError(f"--msp_file {msp_file}: MindSpore wants a name that ends in .ckpt")
    pair = PAIRS[model]
    state = pair.flatten(read_pytorch(pth_file), pth_file)
    dropped = [name for name in state if name.endswith(COUNTER) or pair.is_unused(name)]
    state = {name: value for name, value in state.items() if name not in dropped}
    pair.check_network(get_shapes(state), pth_file)
    pair.settle(options, given, get_shapes(state), pth_file, [pth_file.parent, pth_file.parent.parent])
    write_beside = pair.prepare_config(options, msp_file)
    network = pair.build(state, options)
    parameters = checkpoint.named_parameters(network)
    match(
        get_shapes(state), {get_pytorch_name(name): tuple(value.shape) for name, value in parameters.items()}, pth_file
    )
    if dropped:
        print(f"  dropped {len(dropped)} that the network does not use: batch counters and classifier")
    for name, parameter in parameters.items():
        parameter.set_data(ms.Tensor(state[get_pytorch_name(name)].numpy()))

    def check_written(path) -> None:
        checkpoint.load_weights(network, path)
        check(pair, network, state)

    checkpoint.write_parameters(parameters, msp_file, check=check_written)
    print(f"written: {msp_file}")
    write_beside()


def convert_to_pytorch(model: str, pth_file: Path, msp_file: Path, options, given: set) -> None:
    """Write `pth_file` from `msp_file`; arguments as in convert_to_mindspore."""
    pair = PAIRS[model]
    values = checkpoint.read_weights(msp_file)
    renamed = {get_pytorch_name(name): value for name, value in values.items()}
    pair.check_network(get_shapes(renamed), msp_file)
    pair.settle(options, given, get_shapes(renamed), msp_file, [msp_file.parent])
    network = pair.build(renamed, options)
    parameters = checkpoint.named_parameters(network)
    match(get_shapes(values), get_shapes(parameters), msp_file)
    checkpoint.assign(parameters, values, msp_file)
    # torch.tensor copies: PyTorch must not share memory with MindSpore
    state = {get_pytorch_name(name): torch.tensor(value.asnumpy()) for name, value in parameters.items()}
    with atomic_path(pth_file) as temporary:
        write_pytorch(pair.unflatten(add_counters(state)), temporary)
        written = pair.flatten(read_pytorch(temporary), temporary)
        check(pair, network, {name: written[name] for name in state})
    print(f"written: {pth_file}")


def add_counters(state: dict) -> dict:
    """Add the batch counter that PyTorch expects beside each pair of running statistics."""
    complete = {}
    for name, value in state.items():
        complete[name] = value
        if name.endswith("running_var"):
            complete[name.removesuffix("running_var") + COUNTER] = torch.tensor(0)
    return complete


def check(pair, network, state: dict) -> None:
    """Run both networks on one random input; UserError if their outputs differ."""
    network.set_train(False)
    with torch.no_grad():
        outputs = pair.run_both(network, state)
    difference = max(measure_difference(ours, theirs) for ours, theirs in outputs)
    print(f"largest difference on a random input: {difference:.1e} of the largest output")
    if not difference <= TOLERANCE:  # NaN is no success either
        raise UserError(f"the two networks differ by {difference:.1e}, allowed {TOLERANCE:.0e}. Nothing is written.")


def measure_difference(ours, theirs: torch.Tensor) -> float:
    """Measure the largest difference of two outputs, as a share of PyTorch's largest value."""
    ours, theirs = ours.asnumpy().astype(np.float64), theirs.double().numpy()
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), np.finfo(np.float32).tiny))
