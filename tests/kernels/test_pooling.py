"""Max pooling in one pass: PyTorch's values and gradients, bit by bit."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
import torch
from mindspore import ops

from models.pooling import MaxPool2d
from tests.helpers.parity import as_variant, running_in
from tests.models.test_parity_blocks import noise

WINDOWS = [(3, 2, 1), (2, 2, 0), (3, 1, 1), (5, 3, 2)]  # size, stride, padding
SIZES = [(8, 12), (7, 9), (5, 33)]


def pooled(features: np.ndarray, window: tuple, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Largest pixels, and the gradient of the sum of their products with 0, 1, 2 ..."""
    layer = MaxPool2d(*window)
    as_variant(layer, "compiled")
    assert type(layer) is not MaxPool2d

    def weighted(pixels):
        found = layer(pixels)
        return (found * ops.arange(found.size).reshape(found.shape).astype(ms.float32)).sum(), found

    with running_in(mode):
        gradient, (_, found) = ms.grad(weighted, has_aux=True)(ms.Tensor(features)), weighted(ms.Tensor(features))
    return found.asnumpy(), gradient[0].asnumpy()


def pooled_by_torch(features: np.ndarray, window: tuple) -> tuple[np.ndarray, np.ndarray]:
    pixels = torch.tensor(features, requires_grad=True)
    found = torch.nn.functional.max_pool2d(pixels, *window)
    (found * torch.arange(found.numel()).reshape(found.shape)).sum().backward()
    return found.detach().numpy(), pixels.grad.numpy()


@pytest.mark.parametrize("window", WINDOWS)
def test_values_and_gradients_are_those_of_pytorch(window, mode):
    for size in SIZES:
        features = noise(2, 3, *size)
        for expected, found in zip(pooled_by_torch(features, window), pooled(features, window, mode), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_the_first_of_equal_pixels_has_the_gradient(mode):
    features = np.random.default_rng(0).integers(-1, 2, (2, 3, 9, 11)).astype(np.float32)
    for window in WINDOWS[:2]:
        for expected, found in zip(pooled_by_torch(features, window), pooled(features, window, mode), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_windows_of_large_negative_pixels_do_not_see_the_border():
    features = np.full((1, 1, 6, 6), -3e38, np.float32)
    assert (pooled(features, (3, 2, 1), "pynative")[0] == np.float32(-3e38)).all()


@pytest.mark.parametrize("place", [(0, 0), (3, 4), (7, 11)])
def test_what_is_no_number_does_not_disappear(place):
    features = noise(1, 2, 8, 12)
    features[0, 1, *place] = np.nan
    for window in WINDOWS:
        expected = torch.nn.functional.max_pool2d(torch.tensor(features), *window).numpy()
        np.testing.assert_array_equal(pooled(features, window, "pynative")[0], expected)
