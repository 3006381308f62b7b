"""The operators of native/: PyTorch's results and gradients for every kernel, stride, group and odd size.

In PYNATIVE mode. A graph calls the same code and takes a second to compile, so it has each operator and each of its
settings, but not their every combination with sizes.
"""

import models  # noqa: F401, I001  before MindSpore

import itertools

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import nn

from kernels import operators
from models import layer, resnet
from models.grid_sample import GridSample
from models.warp import Warp, warp_feature
from models.group_norm import GroupNorm
from pretrained_model_convert import resnet_pth
from tests.helpers.fast_layers import both_modes, conv2d, fast
from tests.helpers.parity import assert_gradients_close, assert_same_layer, running_in
from tests.reference import networks
from tests.models.test_parity_blocks import Function, FunctionCell, SampledAt, noise, sampled_by_torch

torch.set_num_threads(1)


@pytest.mark.parametrize("mode", ["pynative", "graph"])
def test_the_sum_of_squares_of_many_arrays(mode):
    arrays = [noise(3, 5), 100 + noise(200_000, seed=2), noise(1, seed=3)]
    exact = sum(np.square(array.astype(np.float64)).sum() for array in arrays)
    with running_in(mode):
        found = FunctionCell(operators.make_sum_of_squares())(*map(ms.Tensor, arrays)).asnumpy()
    assert found == pytest.approx([exact], rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_the_sum_of_squares_is_not_finite(bad):
    arrays = [noise(4, 5), np.full(3, bad, np.float32)]
    assert not np.isfinite(operators.make_sum_of_squares()(*map(ms.Tensor, arrays)).asnumpy())


@pytest.mark.parametrize(
    "mode, kernel, channels, size",
    both_modes(
        itertools.product([1, 3], [(16, 5), (32, 64)], [(6, 5), (30, 28)]),
        [(1, (16, 5), (6, 5)), (3, (32, 64), (6, 5))],
    ),
)
def test_two_convolutions_of_the_same_features(kernel, channels, size, mode):
    def theirs(features, kernel1, bias1, kernel2, bias2):
        convolve = torch.nn.functional.conv2d
        return convolve(features, kernel1, bias1, padding=kernel // 2), convolve(
            features, kernel2, bias2, padding=kernel // 2
        )

    inputs = [noise(2, 7, *size)]
    for count in channels:
        inputs += [noise(count, 7, kernel, kernel, seed=count), noise(count, seed=count + 1)]
    ours = FunctionCell(operators.make_two_convolutions())
    assert_same_layer(ours, Function(theirs), inputs, mode, differentiable=5)


@pytest.mark.parametrize(
    "mode, groups, channels, size",
    both_modes(
        [(*case, size) for case in [(1, 5), (3, 6), (6, 6)] for size in [(1, 7), (5, 3), (40, 41)]], [(3, 6, (5, 3))]
    ),
)
def test_group_norm(groups, channels, size, mode):
    features = noise(2, channels, *size) + 3
    assert_same_layer(fast(GroupNorm(groups, channels)), torch.nn.GroupNorm(groups, channels), [features], mode)


class First(nn.Cell):
    """The first output of an operator."""

    def __init__(self, operator):
        super().__init__()
        self.operator = operator

    def construct(self, *inputs):
        return self.operator(*inputs)[0]


@pytest.mark.parametrize("mode, size", both_modes([((5, 3),), ((40, 41),)], [((5, 3),)]))
def test_the_rectified_sum_with_normalised_features(size, mode):
    def theirs(features, gamma, beta, skip):
        return torch.relu(torch.nn.functional.group_norm(features, 3, gamma, beta) + skip)

    inputs = [noise(2, 6, *size) + 3, noise(6, seed=2), noise(6, seed=3), noise(2, 6, *size, seed=4)]
    ours = First(operators.make_residual_norm(groups=3))
    assert_same_layer(ours, Function(theirs), inputs, mode, differentiable=4)


@pytest.mark.parametrize("mode, kernel, size", both_modes(itertools.product([1, 3], [(5, 3), (40, 41)]), [(3, (5, 3))]))
def test_the_convolution_of_rectified_features(kernel, size, mode):
    def theirs(features, gamma, beta, weight, bias):
        rectified = torch.relu(torch.nn.functional.group_norm(features, 3, gamma, beta))
        return torch.nn.functional.conv2d(rectified, weight, bias, padding=kernel // 2)

    inputs = [noise(2, 6, *size) + 3, noise(6, seed=2), noise(6, seed=3)]
    inputs += [noise(20, 6, kernel, kernel, seed=4), noise(20, seed=5)]
    ours = First(operators.make_rectified_convolution(groups=3))
    assert_same_layer(ours, Function(theirs), inputs, mode, differentiable=5)


@pytest.mark.parametrize("mode, size", both_modes([((5, 3),), ((20, 21),)], [((5, 3),)]))
def test_the_transposed_convolution_of_rectified_features(size, mode):
    def theirs(features, gamma, beta, weight):
        rectified = torch.relu(torch.nn.functional.group_norm(features, 3, gamma, beta))
        return torch.nn.functional.conv_transpose2d(rectified, weight.transpose(0, 1), stride=2, padding=1)

    inputs = [noise(2, 6, *size) + 3, noise(6, seed=2), noise(6, seed=3), noise(20, 6, 4, 4, seed=4)]
    ours = First(operators.make_rectified_transposed_convolution(groups=3, stride=2))
    assert_same_layer(ours, Function(theirs), inputs, mode, differentiable=4)


class Chain(nn.Cell):
    """Operators of several shapes in turn, so that each finds the memory that another has left."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = (operators.make_rectified_convolution(groups) for groups in (2, 4))

    def construct(self, features, gamma, beta, weight, bias):
        out = self.wide(features, gamma, beta, weight, bias)[0]
        out = self.narrow(out[:, :, 3:, 2:], gamma, beta, weight, bias)[0]
        return self.wide(out, gamma, beta, weight, bias)[0]


def test_one_after_the_other(mode):
    def theirs(features, gamma, beta, weight, bias):
        def one(x, groups):
            rectified = torch.relu(torch.nn.functional.group_norm(x, groups, gamma, beta))
            return torch.nn.functional.conv2d(rectified, weight, bias, padding=1)

        return one(one(one(features, 2)[:, :, 3:, 2:], 4), 2)

    inputs = [noise(2, 8, 12, 10), noise(8, seed=2), noise(8, seed=3), noise(8, 8, 3, 3, seed=4), noise(8, seed=5)]
    assert_same_layer(Chain(), Function(theirs), inputs, mode, differentiable=5)


@pytest.mark.parametrize("height, width", [(8, 6), (1, 5)])
def test_pixels_go_to_the_cells_of_warp_feature(height, width, mode):
    """Whatever (u, v) and mask are: halves, outside of [0, 1], on the threshold."""
    rng = np.random.default_rng(6)
    iuv = rng.uniform(-0.3, 1.3, (3, 3, height, width)).astype(np.float32)
    iuv[0, 1:] = rng.integers(0, 65, (2, height, width)) / 32  # with 17 cells a side: half of them between two
    iuv[1, 0] = 0.5
    iuv[2, 0, 0, :3] = np.nan
    features = noise(3, 4, height, width)
    with running_in(mode):
        found = fast(Warp(17))(ms.Tensor(iuv), ms.Tensor(features)).asnumpy()
    expected = warp_feature(ms.Tensor(iuv), ms.Tensor(features), 17).asnumpy()
    np.testing.assert_array_equal(found[:, -1], expected[:, -1])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("height, width", [(9, 8), (1, 5)])
def test_a_look_up_at_corners_edges_and_beyond(height, width, mode):
    grid = np.random.default_rng(2).uniform(-1.2, 1.2, (2, 7, 6, 2)).astype(np.float32)
    grid[0, 0, :4] = [[-1, -1], [1, 1], [-1, 1], [0, 0]]
    theirs = Function(sampled_by_torch)
    assert_same_layer(SampledAt(fast(GridSample())), theirs, [grid, noise(2, 3, height, width)], mode)


def test_a_place_that_is_no_number_reads_within_the_map(mode):
    grid = np.full((1, 1, 1, 2), np.nan, np.float32)
    with running_in(mode):
        found = fast(GridSample())(ms.Tensor(noise(1, 1, 3, 3)), ms.Tensor(grid)).asnumpy()
    assert found == noise(1, 1, 3, 3)[0, 0, 0, 0]


def test_the_iuv_image_gets_no_gradient(mode):
    iuv, features = noise(1, 3, 6, 6), noise(1, 2, 6, 6)
    with running_in(mode):
        gradient = ms.grad(fast(Warp(9)), 0)(ms.Tensor(iuv), ms.Tensor(features)).asnumpy()
    assert gradient.shape == iuv.shape and not gradient.any()


@pytest.mark.parametrize("in_channels", [64, 24])  # the skip as it is, and projected
def test_a_block_of_the_decoder(in_channels, mode):
    ours, theirs = fast(layer.ConvBottleNeck(in_channels, 64)), networks.ConvBottleNeck(in_channels, 64, "GN")
    assert_same_layer(ours, theirs, [noise(2, in_channels, 6, 5)], mode)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_of_the_encoder_and_its_running_statistics(stride, mode):
    ours, theirs = fast(resnet.Bottleneck(24, 16, stride)), resnet_pth.Bottleneck(24, 16, stride)
    assert_same_layer(ours, theirs, [noise(2, 24, 6, 8)], mode)


def test_a_large_mean_does_not_drown_what_varies(mode):
    """Against float64, as exact as PyTorch."""
    features = noise(2, 16, 64, 64) + 1000
    inputs = torch.tensor(features)
    exact = torch.nn.functional.group_norm(inputs.double(), 2).numpy()
    theirs = torch.nn.functional.group_norm(inputs, 2).numpy()
    with running_in(mode):
        ours = fast(GroupNorm(2, 16))(ms.Tensor(features)).asnumpy()
    assert np.abs(ours - exact).max() < 3 * np.abs(theirs - exact).max()


class Two(nn.Cell):
    """Two convolutions that differ in what MindSpore cannot see in shapes: stride and bias."""

    def __init__(self):
        super().__init__()
        self.halve = operators.make_convolution(stride=2, has_bias=False)
        self.keep = operators.make_convolution(stride=1, has_bias=False)
        self.keep_and_add = operators.make_convolution(stride=1, has_bias=True)

    def construct(self, features, kernel, bias):
        halved, kept = self.halve(features, kernel), self.keep(features, kernel)
        return halved, self.keep(kept, kernel), self.keep_and_add(kept, kernel, bias)


def test_strides_and_biases_are_not_mixed_up(mode):
    def theirs(features, kernel, bias):
        def convolve(x, stride=1, bias=None):
            return torch.nn.functional.conv2d(x, kernel, bias, stride, 1)

        kept = convolve(features)
        return convolve(features, 2), convolve(kept), convolve(kept, bias=bias)

    inputs = [noise(2, 4, 6, 6), noise(4, 4, 3, 3, seed=2), noise(4, seed=3)]
    assert_same_layer(Two(), Function(theirs), inputs, mode, differentiable=3)


def test_rounding_is_that_of_pytorch(mode):
    """Against float64: many channels, and a sum over many pixels."""
    features, kernel, gradient = noise(2, 256, 32, 32), noise(8, 256, 3, 3, seed=2), noise(2, 8, 32, 32, seed=3)

    def torch_gradients(precision):
        x, w = (torch.tensor(values, dtype=precision, requires_grad=True) for values in (features, kernel))
        torch.nn.functional.conv2d(x, w, padding=1).backward(torch.tensor(gradient, dtype=precision))
        return {"features": x.grad.numpy(), "kernel": w.grad.numpy()}

    exact, theirs = torch_gradients(torch.float64), torch_gradients(torch.float32)
    convolve = FunctionCell(operators.make_convolution(stride=1, has_bias=False))
    with running_in(mode):
        inputs = [ms.Tensor(features), ms.Tensor(kernel)]
        found = ms.ops.GradOperation(get_all=True, sens_param=True)(convolve)(*inputs, ms.Tensor(gradient))
    ours = {name: value.asnumpy() for name, value in zip(exact, found, strict=True)}
    for name, expected in exact.items():
        assert np.abs(ours[name] - expected).max() < 3 * np.abs(theirs[name] - expected).max()
    assert_gradients_close(ours, exact)


def test_half_precision_is_refused():
    layer = conv2d(4, 4, 1)
    # a graph that fails to compile would leave MindSpore unable to compile others
    with running_in("pynative"), pytest.raises(TypeError, match="compiled operators are float32"):
        layer(ms.Tensor(noise(1, 4, 2, 2).astype(np.float16)))
