"""The convolutions of native/: PyTorch's results and gradients for every kernel, stride and odd size."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import nn

from models import onednn_convolution
from models.convolution import Conv2d
from tests.parity import assert_gradients_close, assert_same_layer, running_in, with_compiled_convolutions

torch.set_num_threads(1)


@pytest.fixture(params=["pynative", "graph"])
def mode(request, monkeypatch):
    with_compiled_convolutions(monkeypatch)
    return request.param


def noise(*shape, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("kernel, stride", [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2)])
@pytest.mark.parametrize("size", [(7, 8), (1, 2)])
def test_a_layer(kernel, stride, size, has_bias, mode):
    ours = Conv2d(5, 18, kernel, stride, has_bias=has_bias)
    theirs = torch.nn.Conv2d(5, 18, kernel, stride, kernel // 2, bias=has_bias)
    assert_same_layer(ours, theirs, [noise(3, 5, *size)], mode)


class Function(nn.Cell):
    """An operator as a cell without parameters."""

    def __init__(self, operator):
        super().__init__()
        self.operator = operator

    def construct(self, *inputs):
        return self.operator(*inputs)


class TorchFunction(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.forward = function


def test_the_transposed_convolution(mode):
    theirs = TorchFunction(lambda x, w: torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1))
    ours = Function(onednn_convolution.transposed_convolution(stride=2))
    assert_same_layer(ours, theirs, [noise(2, 5, 4, 3), noise(5, 6, 4, 4, seed=2)], mode, differentiable=2)


class Two(nn.Cell):
    """Two convolutions that differ in what MindSpore cannot see in shapes: stride and bias."""

    def __init__(self):
        super().__init__()
        self.halve = onednn_convolution.convolution(stride=2, has_bias=False)
        self.keep = onednn_convolution.convolution(stride=1, has_bias=False)
        self.keep_and_add = onednn_convolution.convolution(stride=1, has_bias=True)

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
    assert_same_layer(Two(), TorchFunction(theirs), inputs, mode, differentiable=3)


def test_rounding_is_that_of_pytorch(mode):
    """Against float64: many channels, and a sum over many pixels."""
    features, kernel, gradient = noise(2, 256, 32, 32), noise(8, 256, 3, 3, seed=2), noise(2, 8, 32, 32, seed=3)

    def torch_gradients(precision):
        x, w = (torch.tensor(values, dtype=precision, requires_grad=True) for values in (features, kernel))
        torch.nn.functional.conv2d(x, w, padding=1).backward(torch.tensor(gradient, dtype=precision))
        return {"features": x.grad.numpy(), "kernel": w.grad.numpy()}

    exact, theirs = torch_gradients(torch.float64), torch_gradients(torch.float32)
    convolve = Function(onednn_convolution.convolution(stride=1, has_bias=False))
    with running_in(mode):
        inputs = [ms.Tensor(features), ms.Tensor(kernel)]
        found = ms.ops.GradOperation(get_all=True, sens_param=True)(convolve)(*inputs, ms.Tensor(gradient))
    ours = {name: value.asnumpy() for name, value in zip(exact, found, strict=True)}
    for name, expected in exact.items():
        assert np.abs(ours[name] - expected).max() < 3 * np.abs(theirs[name] - expected).max()
    assert_gradients_close(ours, exact)


def test_half_precision_is_refused(mode):
    layer = Conv2d(4, 4, 1)
    with running_in(mode), pytest.raises(TypeError, match="compiled convolutions are float32"):
        layer(ms.Tensor(noise(1, 4, 2, 2).astype(np.float16)))
