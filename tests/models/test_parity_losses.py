"""Body model, sampler and every loss term agree with PyTorch: values, and gradients of each term alone."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import nn

from models import losses as ours_losses
from models.smpl import SMPL
from models.uv_generator import Index_UV_Generator
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from tests.helpers.parity import (
    GRADIENT_TOLERANCE,
    LOSS_TOLERANCE,
    assert_close,
    assert_same_layer,
    relative,
    running_in,
)
from tests.reference import losses
from tests.models.test_parity_blocks import Function, FunctionCell, noise

torch.set_num_threads(1)
OUTPUTS = ("dp_out", "location_map", "camera")


@pytest.fixture(params=["pynative", "graph"])
def mode(request):
    return request.param


class Outputs(nn.Cell):
    """Stands for the network: returns its parameters whatever the image."""

    def __init__(self, arrays):
        super().__init__()
        for name, array in zip(OUTPUTS, arrays, strict=True):
            setattr(self, name, ms.Parameter(ms.Tensor(array), name=name))

    def construct(self, image):
        return self.dp_out, self.location_map, self.camera


class Weighed(nn.Cell):
    """The sum of a loss cell's terms times a weight each, and the terms; so that one graph gives every gradient."""

    def __init__(self, loss_cell):
        super().__init__(auto_prefix=False)
        self.loss_cell = loss_cell

    def construct(self, weights, *inputs):
        terms = ms.ops.stack(self.loss_cell(*inputs)[1:])
        return (weights * terms).sum(), terms


def compare_terms(loss_cell, parameters, inputs, expected: dict, tensors, mode):
    """Values of all terms, and their gradients with respect to the network's outputs.

    In GRAPH mode each term's gradient alone; PYNATIVE mode, slower at this, does all in one weighted sum.
    """
    names = loss_cell.loss_names
    assert set(names) == set(expected)
    mixtures = np.eye(len(names)) if mode == "graph" else np.random.default_rng(0).uniform(0.5, 2, (1, len(names)))
    with running_in(mode):
        step = ms.value_and_grad(Weighed(loss_cell), None, parameters, has_aux=True)
        inputs = [ms.Tensor(array) for array in inputs]
        for mixture in mixtures:
            (_, terms), gradients = step(ms.Tensor(mixture.astype(np.float32)), *inputs)
            for name, value in zip(names, terms.asnumpy(), strict=True):
                assert expected[name].item() != 0
                assert value == pytest.approx(expected[name].item(), rel=LOSS_TOLERANCE), name
            total = sum(float(weight) * expected[name] for name, weight in zip(names, mixture, strict=True))
            theirs = torch.autograd.grad(total, tensors, retain_graph=True, allow_unused=True)
            for output, ours, gradient in zip(OUTPUTS, gradients, theirs, strict=False):
                gradient = torch.zeros(ours.shape) if gradient is None else gradient
                assert_same_gradient(ours.asnumpy(), gradient.numpy(), f"{mixture}: gradient of {output}")


def assert_same_gradient(ours, theirs, what):
    error, norm = np.linalg.norm(ours - theirs), np.linalg.norm(theirs)
    assert error <= GRADIENT_TOLERANCE * norm, f"{what}: {error / max(norm, 1e-30):.2e}"


VARIANTS = [["--use_smpl_joints"], ["--gtkey3d_from_mesh", "--adaptive_weight", "--use_smpl_joints"]]


# the graph of the first is differentiated in test_parity_training.py
@pytest.mark.parametrize(
    "flags, mode",
    [(VARIANTS[0], "pynative"), (VARIANTS[1], "pynative"), (VARIANTS[1], "graph")],
    ids=["annotated_joints-pynative", "mesh_joints_adaptive-pynative", "mesh_joints_adaptive-graph"],
)
def test_every_term_of_stage_end_and_its_gradient(witness, flags, mode):
    options = tiny_decomr.make_options(*flags)
    batch = tiny_decomr.random_batch(witness)
    arrays = tiny_decomr.random_outputs(np.random.default_rng(1), 4)
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    samples = {name: torch.tensor(value) for name, value in batch.items()}
    expected = losses.end_losses(tensors, samples, witness.body, witness.sampler, witness.uv_weight, options)

    network = Outputs(arrays)
    loss_cell = WithLossCellEnd(network, options)
    if options.gtkey3d_from_mesh:
        batch = tiny_decomr.with_joints_of_mesh(batch)
    inputs = [batch[name] for name in loss_cell.input_names]
    compare_terms(loss_cell, network.trainable_params(), inputs, expected, tensors, mode)


def test_every_term_of_stage_dp_and_its_gradient(witness, mode):
    options = tiny_decomr.make_options()
    batch = tiny_decomr.random_batch(witness)
    arrays = tiny_decomr.random_outputs(np.random.default_rng(1), 4)
    dp_out = torch.tensor(arrays[0], requires_grad=True)
    expected = losses.dp_losses(dp_out, {name: torch.tensor(value) for name, value in batch.items()}, options)

    network = Outputs(arrays)
    loss_cell = WithLossCellDP(network, options)
    inputs = [batch[name] for name in loss_cell.input_names]
    compare_terms(loss_cell, [network.dp_out], inputs, expected, [dp_out], mode)


class SureMask(nn.Cell):
    """Logits [B, 3, h, w] -> the mean mask loss of their sigmoids, and the sigmoids."""

    def construct(self, logits, gt_iuv):
        dp_out = ms.ops.sigmoid(logits)
        return ours_losses.mask_loss(dp_out, gt_iuv).mean(), dp_out


@pytest.mark.parametrize("size", [8, 32])  # of the target: without and with resizing
def test_a_mask_of_which_the_network_is_sure_has_pytorch_s_gradient(size, mode):
    """A sigmoid in float32 is 1 from 17 on and 0 below -104, right or wrong."""
    logits = np.full((2, 3, 8, 8), 200, np.float32)
    logits[:, 0, :4] = -200
    logits[1, 0] += noise(8, 8) * 300
    logits[0, 0, 2:6, 2:6] = noise(4, 4)
    gt_iuv = np.zeros((2, 3, size, size), np.float32)
    gt_iuv[:, 0, :, size // 2 :] = 1
    with running_in(mode):
        step = ms.value_and_grad(SureMask(), 0, None, has_aux=True)
        (loss, dp_out), gradient = step(ms.Tensor(logits), ms.Tensor(gt_iuv))
    assert {0, 1} <= set(dp_out.asnumpy()[:, 0].ravel())
    tensor = torch.tensor(logits, requires_grad=True)
    expected = losses.mask_loss(torch.sigmoid(tensor), torch.tensor(gt_iuv)).mean()
    expected.backward()
    assert loss.asnumpy() == pytest.approx(expected.item(), rel=LOSS_TOLERANCE)
    assert np.isfinite(gradient.asnumpy()).all()
    assert_same_gradient(gradient.asnumpy(), tensor.grad.numpy(), "logits")


@pytest.mark.parametrize("way", ["to_map", "to_vertices"])
def test_sampler(root, witness, way, mode):
    sampler = Index_UV_Generator(tiny_decomr.ATLAS_SIZE, data_dir=root)
    if way == "to_map":
        vertices = noise(2, len(witness.sampler.vt_count), 3)
        assert_same_layer(FunctionCell(sampler.get_UV_map), Function(witness.sampler.get_uv_map), [vertices], mode)
    else:
        uv_map = noise(2, tiny_decomr.ATLAS_SIZE, tiny_decomr.ATLAS_SIZE, 3)
        assert_same_layer(FunctionCell(sampler.resample), Function(witness.sampler.resample), [uv_map], mode)


def test_body(root, witness, mode):
    """Also at rest, where the angle is zero and Rodrigues' formula divides by it, and just beside it."""
    pose = noise(3, 72) * np.array([[0], [1e-5], [1]], np.float32)
    assert_same_layer(SMPL(), Function(witness.body), [pose, noise(3, 10, seed=2)], mode, differentiable=2)


def test_joint_sets(root, witness):
    body, vertices = SMPL(), noise(2, len(witness.sampler.vt_count), 3)
    points = torch.tensor(vertices).double()
    for ours, rows in (
        (body.get_joints, witness.body.joint_rows),
        (body.get_smpl_joints, witness.body.smpl_rows),
        (body.get_train_joints, witness.body.training_rows),
        (body.get_eval_joints, witness.body.lsp_rows),
        (body.get_full_joints, torch.cat([witness.body.smpl_rows, witness.body.lsp_rows])),
    ):
        assert relative(ours(ms.Tensor(vertices)).asnumpy(), rows @ points) < LOSS_TOLERANCE
    assert_close(body.get_lsp_joints(ms.Tensor(vertices)).asnumpy(), witness.body.lsp_rows @ points)
