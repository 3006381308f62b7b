"""Training follows PyTorch's: gradients of every parameter, statistics, and ten steps of Adam.

A ReLU whose input is zero but for rounding opens on one side only, and of the millions in the networks a
few always do. PyTorch's own float32 gradients are 0.1 to 1 % off the exact ones (computed in float64)
because of them, with live BatchNorm statistics of few pixels 1 to 4 %. So every parameter's gradient is
compared with smooth activations in the ReLUs' place, and with ReLUs MindSpore may be as far off as PyTorch.
"""

import models  # noqa: F401, I001  before MindSpore

import copy
from dataclasses import dataclass

import mindspore as ms
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mindspore import nn

from models.adam import Adam
from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from models.TrainOneStepDP import TrainOneStepDP
from models.TrainOneStepEnd import TrainOneStepEnd
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from tests.helpers.parity import (
    GRADIENT_TOLERANCE,
    LOSS_TOLERANCE,
    assert_close,
    gradient_errors,
    as_variant,
    copy_weights,
    named_arrays,
    randomise,
    relative,
    running_in,
    settle_warp,
    shorten_encoder,
    COMPILED,
)
from tests.reference import losses, networks
from tests.helpers.smooth import smooth_activations
from atlas.reference_map import load_or_build_reference_map

torch.set_num_threads(1)
LEARNING_RATE = 2.5e-4
TRAJECTORY_TOLERANCE = 0.01
BATCHES_TO_TRY = 3
# Differences to joint 0 nearly cancel: PyTorch's float32 is 1e-6 off the exact loss, MindSpore's 4e-6 to 1.2e-5.
CANCELLING = "key3D_smpl"


@dataclass
class Stage:
    """The same training stage on both sides."""

    loss_cell: nn.Cell
    step_cell: type
    module: torch.nn.Module
    torch_losses: callable  # (outputs, batch) -> terms by name
    batch: dict

    @property
    def network(self) -> nn.Cell:
        return self.loss_cell.CNet if isinstance(self.loss_cell, WithLossCellDP) else self.loss_cell.DMR

    def inputs(self) -> list:
        return [ms.Tensor(self.batch[name]) for name in self.loss_cell.input_names]

    def torch_terms(self, module=None) -> dict:
        """Terms of the PyTorch side, in the precision of `module`."""
        module = module or self.module
        precision = next(module.parameters()).dtype
        batch = {name: torch.tensor(value, dtype=precision) for name, value in self.batch.items()}
        return self.torch_losses(module(batch["img"]), batch)

    def torch_gradients(self, module) -> tuple[dict, dict]:
        """(terms, gradient of their sum by parameter) of `module`."""
        terms = self.torch_terms(module)
        sum(terms.values()).backward()
        return terms, named_arrays(module, gradients=True)

    def gradients(self) -> tuple[dict, dict]:
        """(terms, gradients) of the MindSpore side."""
        parameters = {name: p for name, p in self.network.parameters_and_names() if p.requires_grad}
        step = ms.value_and_grad(self.loss_cell, None, list(parameters.values()), has_aux=True)
        (total, *terms), gradients = step(*self.inputs())
        terms = dict(zip(self.loss_cell.loss_names, [term.asnumpy() for term in terms], strict=True))
        assert_close(total.asnumpy(), sum(terms.values()), what="total")
        return terms, {name: g.asnumpy() for name, g in zip(parameters, gradients, strict=True)}


@pytest.fixture(scope="module")
def witness(tmp_path_factory):
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        yield tiny_decomr.Witness(root)


def make_stage(name: str, witness, live: bool = False, seed: int = 0, settled: bool = False) -> Stage:
    """live: BatchNorm takes its statistics from the batch; settled: no pixel is near another cell of the warp."""
    options = tiny_decomr.make_options("--use_smpl_joints")
    batch = tiny_decomr.random_batch(witness, seed=seed)
    if name == "dp":
        module = networks.CNet()
        cell = WithLossCellDP(DPNet(), options)
        stage = Stage(cell, TrainOneStepDP, module, lambda out, batch: losses.dp_losses(out[0], batch, options), batch)
    else:
        reference = load_or_build_reference_map("BF", 64)
        module = networks.DMR(networks.CNet(), networks.LNet(reference, width=options.lnet_width))
        cell = WithLossCellEnd(DMR(DPNet(), get_LNet(options)), options)
        fixed = (witness.body, witness.sampler, witness.uv_weight, options)
        stage = Stage(cell, TrainOneStepEnd, module, lambda out, batch: losses.end_losses(out, batch, *fixed), batch)
    randomise(module).train(live)
    if settled and name == "end":
        settle_warp(module.CNet)
    copy_weights(module, stage.network)
    stage.loss_cell.set_train(live)
    return stage


@pytest.mark.parametrize("variant", [*COMPILED, pytest.param("graph", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["dp", "end"])
def test_gradients_of_every_parameter(name, variant, witness, monkeypatch):
    monkeypatch.setattr(F, "relu", lambda values, inplace=False: F.silu(values))
    if name == "end":  # stage dp has all blocks of the encoder
        shorten_encoder(monkeypatch)
    # not batch 0: rounding decides something there, with some kernels for and with others against PyTorch
    for seed in range(1, 1 + BATCHES_TO_TRY):
        stage = make_stage(name, witness, seed=seed)
        smooth_activations(stage.network)
        as_variant(stage.loss_cell, variant)
        _, exact = stage.torch_gradients(copy.deepcopy(stage.module).double())
        expected_terms, expected = stage.torch_gradients(stage.module)
        terms, gradients = stage.gradients()
        if relative(terms.get("uv", 0), float(expected_terms.get("uv", torch.zeros(())).detach())) < LOSS_TOLERANCE:
            break  # no pixel of the warp fell into another cell by rounding
    for term, value in expected_terms.items():
        assert_close(terms[term], value.item(), LOSS_TOLERANCE * (3 if term == CANCELLING else 1), term)
    pytorchs = gradient_errors(expected, exact)
    # sums that nearly cancel lose digits in any order of summation
    excess = {
        parameter: error / max(GRADIENT_TOLERANCE, 10 * pytorchs[parameter])
        for parameter, error in gradient_errors(gradients, exact).items()
    }
    worst = max(excess, key=lambda parameter: excess[parameter])
    # MindSpore's own convolutions are the less exact ones
    allowed = 1 if variant == "compiled" else 2
    assert excess[worst] <= allowed, f"{worst}: {excess[worst]:.2f} of what is allowed"
    assert np.quantile(list(excess.values()), 0.99) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*COMPILED, "graph"])
@pytest.mark.parametrize("name, live", [("dp", False), ("end", False), ("dp", True)])
def test_gradients_are_as_exact_as_pytorchs(name, live, variant, witness):
    """In one of a few batches: where a ReLU opens on one side only by rounding, which is chance, all of one are off."""
    found = []
    for seed in range(BATCHES_TO_TRY):
        stage = make_stage(name, witness, live=live, seed=seed)
        as_variant(stage.loss_cell, variant)
        _, exact = stage.torch_gradients(copy.deepcopy(stage.module).double())
        _, expected = stage.torch_gradients(stage.module)
        terms, gradients = stage.gradients()
        assert terms.keys() == set(stage.loss_cell.loss_names)
        ours, theirs = (np.array(list(gradient_errors(each, exact).values())) for each in (gradients, expected))
        found.append([(measure(ours), max(3 * measure(theirs), GRADIENT_TOLERANCE)) for measure in (np.max, np.median)])
        if all(error < allowed for error, allowed in found[-1]):
            return
    raise AssertionError(f"largest and median errors, and what is allowed, by batch: {found}")


def follow(stage: Stage, mode: str, steps: int, learning_rate: float) -> None:
    """Train both sides on one batch; totals must stay together, and so must the running statistics."""
    torch_adam = torch.optim.Adam(stage.module.parameters(), lr=learning_rate)
    with running_in(mode):
        adam = Adam(stage.network.trainable_params(), learning_rate)
        step = stage.step_cell(stage.loss_cell, adam)
        step.set_train(stage.module.training)
        inputs = stage.inputs()
        ours, theirs = [], []
        for _ in range(steps):
            ours.append(float(step(*inputs)[0].asnumpy()))
            total = sum(stage.torch_terms().values())
            torch_adam.zero_grad()
            total.backward()
            torch_adam.step()
            theirs.append(total.item())
    np.testing.assert_allclose(ours, theirs, rtol=TRAJECTORY_TOLERANCE)
    assert theirs[-1] < 0.9 * theirs[0]  # otherwise the claim would be empty
    after = named_arrays(stage.module)
    for name, parameter in stage.network.parameters_and_names():
        if not parameter.requires_grad:
            assert_close(parameter.asnumpy(), after[name], TRAJECTORY_TOLERANCE, name)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["pynative", *COMPILED])
@pytest.mark.parametrize("name", ["dp", "end"])
def test_ten_steps_of_adam(name, variant, witness, monkeypatch):
    # small steps keep every pixel in its cell of the warp
    learning_rate = LEARNING_RATE if name == "dp" else LEARNING_RATE / 4
    if name == "end":  # stage dp has all blocks of the encoder
        shorten_encoder(monkeypatch)
    stage = make_stage(name, witness, settled=True)
    if name == "end":  # a ReLU that opens by rounding on one side only would part the trajectories
        monkeypatch.setattr(F, "relu", lambda values, inplace=False: F.silu(values))
        smooth_activations(stage.network)
    follow(stage, as_variant(stage.loss_cell, variant), 10, learning_rate)
