"""float16 on the CPU against float32: the warp, both loss cells, and a step of a thin network."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from models import resnet
from models.adam import Adam
from models.dense_cnn import DPNet, UVNet, warp_feature
from models.zero_init import start_constant
from models.DMR import DMR
from models.ground_truth import GroundTruth
from models.group_norm import GroupNorm
from models.precision import to_half_precision
from models.training_step import TrainingStep
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from tests.helpers.distributed_program import settle_warp
from tests.helpers.parity import running_in
from tests.helpers.short_train import BLOCKS
from tests.helpers.smooth import smooth_activations
from atlas.reference_map import load_or_build_reference_map

CLOSE = 0.01  # of a loss


def random_dp_out(rng, size: int = 56) -> np.ndarray:
    """[2, 3, size, size] of half precision numbers; about half of the pixels are foreground."""
    return rng.random((2, 3, size, size)).astype(np.float16)


@pytest.mark.parametrize("side", [64, 128])
def test_the_warp_fills_the_cells_of_float32(side):
    """Against numpy in float64. At 64 x 64 half precision would number a quarter of the cells wrongly."""
    rng = np.random.default_rng(0)
    dp_out, features = random_dp_out(rng), rng.normal(size=(2, 4, 56, 56)).astype(np.float16)
    found = warp_feature(ms.Tensor(dp_out), ms.Tensor(features), side)
    assert found.dtype == ms.float16
    found = found.asnumpy().astype(np.float64)
    assert np.isfinite(found).all()
    expected, counts = np.zeros((2, 4, side, side)), np.zeros((2, side, side))
    for sample in range(2):
        mask, u, v = dp_out[sample].astype(np.float64)
        rows, columns = np.round(v * (side - 1)).astype(int), np.round(u * (side - 1)).astype(int)
        for y, x in zip(*np.nonzero(mask > 0.5), strict=True):
            expected[sample, :, rows[y, x], columns[y, x]] += features[sample, :, y, x]
            counts[sample, rows[y, x], columns[y, x]] += 1
    np.testing.assert_array_equal(found[:, -1], counts > 0)
    np.testing.assert_allclose(found[:, :4], expected / np.maximum(counts, 1)[:, None], rtol=1e-3, atol=1e-3)


def test_group_norm_of_large_half_precision_numbers_is_finite():
    """Their squares are infinite in float16."""
    rng = np.random.default_rng(0)
    features = (300 + 200 * rng.normal(size=(2, 16, 8, 8))).astype(np.float16)
    norm = GroupNorm(2, 16)
    found = norm(ms.Tensor(features))
    assert found.dtype == ms.float16
    expected = features.astype(np.float64).reshape(2, 2, -1)
    expected = (expected - expected.mean(2, keepdims=True)) / expected.std(2, keepdims=True)
    np.testing.assert_allclose(found.asnumpy().reshape(2, 2, -1), expected, atol=3e-3)


class Fixed(nn.Cell):
    """Gives its parameters, whatever the image: the outputs of a network, of one type."""

    def __init__(self, outputs, dtype):
        super().__init__()
        self.outputs = ms.ParameterTuple(
            [ms.Parameter(ms.Tensor(o, dtype), name=str(i)) for i, o in enumerate(outputs)]
        )

    def construct(self, image):
        return tuple([output * 1 for output in self.outputs])


def inputs_of(cell, batch: dict, options) -> list:
    """The columns that a loss cell takes, the true mesh among them."""
    columns = {name: ms.Tensor(column) for name, column in batch.items()}
    if "gt_vertices" in cell.input_names:
        neutral = ms.Tensor(np.full(len(batch["pose"]), -1), ms.float32)
        found = GroundTruth(options.uv_res, options.uv_type)(columns["pose"], columns["betas"], neutral)
        columns |= dict(zip(("gt_vertices", "gt_uv_map"), found, strict=True))
    return [columns[name] for name in cell.input_names]


@pytest.mark.parametrize("cell", [WithLossCellDP, WithLossCellEnd])
def test_losses_of_half_precision_outputs_are_those_of_float32(witness, cell):
    """At a batch of 16 the total variation alone would reach the largest number of float16."""
    options = tiny_decomr.make_options("--use_smpl_joints", "--lam_tv", 1)
    batch = tiny_decomr.random_batch(witness, size=16)
    rng = np.random.default_rng(1)
    size = tiny_decomr.IMAGE_SIZE // 4
    outputs = [
        0.05 + 0.9 * rng.random((16, 3, size, size)),
        rng.normal(size=(16, 128, 128, 3)),
        rng.normal(size=(16, 3)),
    ]
    losses = {}
    for dtype in (ms.float32, ms.float16):
        loss_cell = cell(Fixed(outputs, dtype), options)
        found = loss_cell(*inputs_of(loss_cell, batch, options))
        assert all(loss.dtype == ms.float32 for loss in found)
        losses[dtype] = np.array([float(loss.asnumpy()) for loss in found])
    assert losses[ms.float32].min() > 0
    np.testing.assert_allclose(losses[ms.float16], losses[ms.float32], rtol=CLOSE)


class Recorded(Adam):
    """Adam that keeps the gradients of its last update, too."""

    def __init__(self, parameters):
        super().__init__(parameters, 1e-4)
        self.kept = self.parameters.clone(prefix="kept", init="zeros")

    def construct(self, gradients, applies=None):
        for kept, gradient in zip(self.kept, gradients, strict=True):
            ops.assign(kept, gradient)
        return super().construct(gradients, applies)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dp", "end"])
def test_a_step_in_half_precision_has_the_losses_and_gradients_of_float32(witness, stage, monkeypatch):
    """Of thin networks with smooth activations, from the same weights, which stay float32.

    A loss scale that overflows leaves the update out, and halves until it does not.
    """
    monkeypatch.setattr(resnet, "STAGE_BLOCKS", BLOCKS)
    options = tiny_decomr.make_options()
    batch = tiny_decomr.random_batch(witness, all_annotated=True)
    found = {}
    with running_in("pynative"):
        for precision in ("float32", "float16"):
            network, cell = build(stage, options)
            if precision == "float16":
                to_half_precision(network)
            optimizer = Recorded(network.trainable_params())
            step = TrainingStep(cell, optimizer, loss_scaling=precision == "float16").set_train(True)
            inputs = inputs_of(cell, batch, options)
            for tries in range(4):
                outputs = step(*inputs)
                if int(step.update.skipped.asnumpy()) == tries:
                    break
            else:
                pytest.fail("every update was left out")
            assert all(parameter.dtype == ms.float32 for parameter in network.trainable_params())
            losses = np.array([float(output.asnumpy()) for output in outputs])
            found[precision] = losses, np.concatenate([kept.asnumpy().ravel() for kept in optimizer.kept])
    (whole_losses, whole), (half_losses, half) = found.values()
    np.testing.assert_allclose(half_losses, whole_losses, rtol=CLOSE)
    assert whole @ half > 0.99 * np.linalg.norm(whole) * np.linalg.norm(half)


def build(stage: str, options) -> tuple[nn.Cell, nn.Cell]:
    """(network, loss cell), the same at each call. Each pixel names about the centre of one cell of the surface."""
    ms.set_seed(3)
    network = DPNet()
    settle_warp(network)
    if stage == "end":
        reference = load_or_build_reference_map("BF", 64)
        network = DMR(network, UVNet(reference, width=options.lnet_width))
        # a new network's codes are alike, and BatchNorm over four of them enlarges their rounding to 2 % of a camera
        start_constant(network.LNet.camera)
    smooth_activations(network)
    return network, (WithLossCellDP if stage == "dp" else WithLossCellEnd)(network, options)
