"""The operators of native/: PyTorch's results and gradients for every kernel, stride, group and odd size."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import nn

from models import native_operators
from models.convolution import Conv2d
from models.group_norm import GroupNorm
from tests.parity import assert_gradients_close, assert_same_layer, running_in, with_compiled_kernels
from tests.test_parity_blocks import Function, FunctionCell, noise

torch.set_num_threads(1)


@pytest.fixture(params=["pynative", "graph"])
def mode(request, monkeypatch):
    with_compiled_kernels(monkeypatch)
    return request.param


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("kernel, stride", [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
@pytest.mark.parametrize("size", [(7, 8), (1, 2)])
def test_a_layer(kernel, stride, size, has_bias, mode):
    ours = Conv2d(5, 18, kernel, stride, has_bias=has_bias)
    theirs = torch.nn.Conv2d(5, 18, kernel, stride, kernel // 2, bias=has_bias)
    assert_same_layer(ours, theirs, [noise(3, 5, *size)], mode)


def test_the_transposed_convolution(mode):
    theirs = Function(lambda x, w: torch.nn.functional.conv_transpose2d(x, w.transpose(0, 1), stride=2, padding=1))
    ours = FunctionCell(native_operators.transposed_convolution(stride=2))
    assert_same_layer(ours, theirs, [noise(2, 5, 4, 3), noise(6, 5, 4, 4, seed=2)], mode, differentiable=2)


@pytest.mark.parametrize("groups, channels", [(1, 5), (3, 6), (6, 6)])
@pytest.mark.parametrize("size", [(1, 7), (5, 3), (40, 41)])
def test_group_norm(groups, channels, size, mode):
    features = noise(2, channels, *size) + 3
    assert_same_layer(GroupNorm(groups, channels), torch.nn.GroupNorm(groups, channels), [features], mode)


class Rectified(GroupNorm):
    def construct(self, features):
        return self.rectified(features)


class TorchRectified(torch.nn.GroupNorm):
    def forward(self, features):
        return torch.nn.functional.relu(super().forward(features))


@pytest.mark.parametrize("size", [(5, 3), (40, 41)])
def test_group_norm_with_a_relu(size, mode):
    assert_same_layer(Rectified(3, 6), TorchRectified(3, 6), [noise(2, 6, *size)], mode)


def test_a_large_mean_does_not_drown_what_varies(mode):
    """Against float64, as exact as PyTorch."""
    features = noise(2, 16, 64, 64) + 1000
    inputs = torch.tensor(features)
    exact = torch.nn.functional.group_norm(inputs.double(), 2).numpy()
    theirs = torch.nn.functional.group_norm(inputs, 2).numpy()
    with running_in(mode):
        ours = GroupNorm(2, 16)(ms.Tensor(features)).asnumpy()
    assert np.abs(ours - exact).max() < 3 * np.abs(theirs - exact).max()


class Two(nn.Cell):
    """Two convolutions that differ in what MindSpore cannot see in shapes: stride and bias."""

    def __init__(self):
        super().__init__()
        self.halve = native_operators.convolution(stride=2, has_bias=False)
        self.keep = native_operators.convolution(stride=1, has_bias=False)
        self.keep_and_add = native_operators.convolution(stride=1, has_bias=True)

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
    convolve = FunctionCell(native_operators.convolution(stride=1, has_bias=False))
    with running_in(mode):
        inputs = [ms.Tensor(features), ms.Tensor(kernel)]
        found = ms.ops.GradOperation(get_all=True, sens_param=True)(convolve)(*inputs, ms.Tensor(gradient))
    ours = {name: value.asnumpy() for name, value in zip(exact, found, strict=True)}
    for name, expected in exact.items():
        assert np.abs(ours[name] - expected).max() < 3 * np.abs(theirs[name] - expected).max()
    assert_gradients_close(ours, exact)


def test_half_precision_is_refused(monkeypatch):
    with_compiled_kernels(monkeypatch)
    layer = Conv2d(4, 4, 1)
    # a graph that fails to compile would leave MindSpore unable to compile others
    with running_in("pynative"), pytest.raises(TypeError, match="compiled operators are float32"):
        layer(ms.Tensor(noise(1, 4, 2, 2).astype(np.float16)))
