"""What the parity tests share: weights carried from PyTorch to MindSpore, and comparisons of what comes out."""

import contextlib
import importlib.util
from unittest import mock

import mindspore as ms
import numpy as np
import torch
from mindspore import nn

from models import resnet
from pretrained_model_convert import resnet_pth
from tests.helpers.short_train import BLOCKS
from utils.device import MODES
from utils.optional_kernels import find_kernels

# before anything is computed: MindSpore settles on a device then
ms.set_device("CPU")
HAS_KERNELS = importlib.util.find_spec("kernels") is not None
COMPILED = ("compiled",) if HAS_KERNELS else ()  # variants beside the modes graph and pynative
TORCH_NORMS = (torch.nn.GroupNorm, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
OUTPUT_TOLERANCE = 1e-4  # of the largest value
LOSS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-3  # of the norm
# below this share of the whole gradient's norm a gradient is rounding: biases in front of BatchNorm have none
NO_GRADIENT = 1e-6
ROUNDING = 1e-4  # of the whole gradient's norm: what may be found where there is none


@contextlib.contextmanager
def running_in(mode: str):
    """MindSpore in one of the modes of utils.device on the CPU, and back to PYNATIVE."""
    ms.set_context(mode=MODES[mode])
    try:
        yield
    finally:
        ms.set_context(mode=ms.PYNATIVE_MODE)


def as_variant(cell: nn.Cell, variant: str, weights_stay: bool = False) -> str:
    """Give `cell` compiled kernels where the variant is `compiled`; the mode to run it in."""
    if variant != "compiled":
        return variant
    with mock.patch("kernels.build.lift_limit"):  # networks with MindSpore's kernels run in this process too
        find_kernels().accelerate(cell, "compiled", weights_stay)
    return "graph"


def shorten_encoder(patch) -> None:
    """Let encoders that are made from now on have BLOCKS, on both sides; patch: a test's monkeypatch, to undo it."""
    stage = resnet_pth.ResNet50._stage
    blocks_by_channels = dict(zip((64, 128, 256, 512), BLOCKS, strict=True))

    def short_stage(in_channels, channels, blocks, stride):
        return stage(in_channels, channels, blocks_by_channels[channels], stride)

    patch.setattr(resnet, "STAGE_BLOCKS", BLOCKS)
    patch.setattr(resnet_pth.ResNet50, "_stage", staticmethod(short_stage))


def randomise(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every parameter and statistic of `module` a value of its own; norms are off their defaults too."""
    generator = torch.Generator().manual_seed(seed)
    for child in module.modules():
        for name, value in [*child.named_parameters(recurse=False), *child.named_buffers(recurse=False)]:
            noise = torch.randn(value.shape, generator=generator)
            if isinstance(child, TORCH_NORMS) and name in ("weight", "running_var"):
                value.data = 0.5 + 0.1 * noise.clamp(-3, 3)
            elif name in ("bias", "running_mean"):
                value.data = 0.1 * noise
            elif name == "weight":
                value.data = noise / value[0].numel() ** 0.5
    return module


def settle_warp(cnet: torch.nn.Module) -> torch.nn.Module:
    """Let every pixel of a random CNet name about the centre of one surface cell, so that rounding is never close."""
    with torch.no_grad():
        for end, probability in ((cnet.dp_uv_end, 31 / 63), (cnet.dp_mask_end, 0.7)):
            end[1].weight *= 0.005
            end[1].bias.fill_(torch.logit(torch.tensor(probability)))
    return cnet


def named_arrays(module: torch.nn.Module, gradients: bool = False) -> dict:
    """MindSpore's names -> arrays of the parameters (or their gradients) and statistics of a PyTorch module."""
    arrays = {}
    for path, child in module.named_modules():
        entries = [*child.named_parameters(recurse=False)]
        entries += [] if gradients else child.named_buffers(recurse=False)
        for name, value in entries:
            if name == "num_batches_tracked":
                continue
            own = NORM_NAMES[name] if isinstance(child, TORCH_NORMS) else name
            array = (value.grad if gradients else value).detach().double().numpy()
            arrays[f"{path}.{own}" if path else own] = array
    return arrays


def copy_weights(module: torch.nn.Module, cell: nn.Cell) -> None:
    """PyTorch -> MindSpore, by name; the two sets of names must be the same."""
    source, target = named_arrays(module), dict(cell.parameters_and_names())
    assert source.keys() == target.keys(), source.keys() ^ target.keys()
    for name, parameter in target.items():
        assert parameter.shape == source[name].shape, name
        parameter.set_data(ms.Tensor(source[name].astype(np.float32)))


def relative(found, expected) -> float:
    """Largest difference, in units of the largest expected value."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)


def assert_close(found, expected, tolerance=OUTPUT_TOLERANCE, what="") -> None:
    difference = relative(found, expected)
    assert difference <= tolerance, f"{what}: relative difference {difference:.2e}, allowed {tolerance:.0e}"


def gradient_errors(found: dict, expected: dict) -> dict:
    """By parameter: norm of the gradient's error, as a share of the gradient's norm."""
    assert found.keys() == expected.keys()
    whole = np.sqrt(sum((gradient**2).sum() for gradient in expected.values()))
    errors = {}
    for name, gradient in expected.items():
        error, norm = np.linalg.norm(found[name] - gradient), np.linalg.norm(gradient)
        if norm <= NO_GRADIENT * whole:
            assert error <= ROUNDING * whole, f"{name} should have no gradient"
            error, norm = 0, 1
        errors[name] = error / norm
    return errors


def assert_gradients_close(found: dict, expected: dict) -> None:
    """Every parameter's gradient agrees in norm."""
    for name, error in gradient_errors(found, expected).items():
        assert error <= GRADIENT_TOLERANCE, f"{name}: {error:.2e} of the gradient's norm"


def flat(outputs) -> list:
    """Nested tuples and lists of tensors -> list of tensors."""
    if isinstance(outputs, tuple | list):
        return [tensor for output in outputs for tensor in flat(output)]
    return [outputs]


class Probe(nn.Cell):
    """inputs -> (sum of outputs times fixed cotangents, *outputs)."""

    def __init__(self, cell, cotangents):
        super().__init__(auto_prefix=False)
        self.cell = cell
        self.cotangents = [ms.Tensor(array) for array in cotangents]

    def construct(self, *inputs):
        outputs = self.cell(*inputs)
        leaves = ()
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            leaves += output if isinstance(output, tuple) else (output,)
        total = 0.0
        for leaf, cotangent in zip(leaves, self.cotangents):  # noqa: B905  GRAPH mode has no strict=
            total = total + (leaf * cotangent).sum()
        return (total, *leaves)


def assert_same_layer(
    cell: nn.Cell, module: torch.nn.Module, inputs: list, variant: str, differentiable: int = 1
) -> None:
    """Outputs, gradients and new statistics of `cell` equal those of `module`; with BatchNorm in eval mode too.

    inputs: float32 arrays; gradients reach the last `differentiable` of them.
    """
    randomise(module)
    copy_weights(module, cell)
    mode = as_variant(cell, variant)
    positions = tuple(range(len(inputs) - differentiable, len(inputs)))
    for train in (False, True) if list(module.buffers()) else (True,):
        module.train(train).zero_grad()
        tensors = [torch.tensor(array, requires_grad=i in positions) for i, array in enumerate(inputs)]
        expected = flat(module(*tensors))
        rng = np.random.default_rng(3)
        cotangents = [rng.normal(size=output.shape).astype(np.float32) for output in expected]
        sum((output * torch.tensor(c)).sum() for output, c in zip(expected, cotangents, strict=True)).backward()

        with running_in(mode):
            parameters = {name: p for name, p in cell.parameters_and_names() if p.requires_grad}
            probe = Probe(cell, cotangents)
            probe.set_train(train)
            weights = list(parameters.values()) or None
            step = ms.value_and_grad(probe, positions, weights, has_aux=True)
            (_, *found), gradients = step(*map(ms.Tensor, inputs))
            of_inputs, of_weights = gradients if weights else (gradients, [])
            of_inputs = of_inputs if isinstance(of_inputs, tuple) else (of_inputs,)
            for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
                assert_close(ours.asnumpy(), theirs.detach(), what=f"output {index}, train {train}")
            ours = {name: g.asnumpy() for name, g in zip(parameters, of_weights, strict=True)}
            theirs = named_arrays(module, gradients=True)
            for position, gradient in zip(positions, of_inputs, strict=True):
                ours[f"input {position}"] = gradient.asnumpy()
                theirs[f"input {position}"] = tensors[position].grad.numpy()
            assert_gradients_close(ours, theirs)
            after = named_arrays(module)
            for name, parameter in cell.parameters_and_names():
                if not parameter.requires_grad:
                    assert_close(parameter.asnumpy(), after[name], what=f"{name}, train {train}")
