"""The convolutions of native/: PyTorch's results and gradients, by oneDNN, by Winograd and by products of matrices.

The modes are chosen as in test_operators.py.
"""

import models  # noqa: F401, I001  before MindSpore

import itertools

import mindspore as ms
import numpy as np
import pytest
import torch

from models import resnet
from models.batch_norm_folding import fold_batch_norm
from pretrained_model_convert import resnet_pth
from tests.helpers.fast_layers import both_modes, conv2d, fast
from tests.helpers.parity import assert_same_layer, copy_weights, randomise, running_in
from tests.models.test_parity_blocks import noise

torch.set_num_threads(1)
KERNELS = ((1, 1), (1, 2), (3, 1), (3, 2), (7, 2))  # with their strides


@pytest.mark.parametrize(
    "mode, kernel_and_stride, size, has_bias",
    both_modes(
        itertools.product(KERNELS, [(7, 8), (1, 2)], [False, True]),
        [(kernel, (7, 8), number % 2 == 0) for number, kernel in enumerate(KERNELS)],
    ),
)
def test_a_layer(kernel_and_stride, size, has_bias, mode):
    kernel, stride = kernel_and_stride
    ours = conv2d(5, 18, kernel, stride, has_bias=has_bias)
    theirs = torch.nn.Conv2d(5, 18, kernel, stride, kernel // 2, bias=has_bias)
    assert_same_layer(ours, theirs, [noise(3, 5, *size)], mode)


WINOGRAD = [
    ((129, 130), (7, 14, 14), True),  # six images, then one
    ((128, 640), (3, 14, 16), True),  # all images at once, channels of the output in two parts
    ((520, 128), (2, 34, 32), False),  # one image, then the other; those of the input in two parts for its gradient
]


@pytest.mark.parametrize("mode, channels, size, has_bias", both_modes(WINOGRAD, WINOGRAD[:1]))
def test_3x3_with_fewer_products(channels, size, has_bias, mode):
    """native/winograd.cc, which takes such sizes."""
    read, written = channels
    ours = conv2d(read, written, 3, has_bias=has_bias)
    theirs = torch.nn.Conv2d(read, written, 3, padding=1, bias=has_bias)
    assert_same_layer(ours, theirs, [noise(size[0], read, *size[1:])], mode)


POINTWISE = [
    ((5, 3), (3, 28, 28), True),  # blocks of pixels that threads share unequally
    ((6, 200), (2, 41, 29), True),  # the kernel's gradient in parts of its rows
    ((70, 65), (1, 100, 90), False),
]


@pytest.mark.parametrize("mode, channels, size, has_bias", both_modes(POINTWISE, POINTWISE[:1]))
def test_1x1_of_many_pixels(channels, size, has_bias, mode):
    """native/pointwise.cc, which takes such sizes."""
    read, written = channels
    ours = conv2d(read, written, 1, has_bias=has_bias)
    theirs = torch.nn.Conv2d(read, written, 1, bias=has_bias)
    assert_same_layer(ours, theirs, [noise(size[0], read, *size[1:])], mode)


@pytest.mark.parametrize("size", [(28, 30), (40, 30)])  # the first in blocks of other sizes when it is alone
def test_the_result_for_an_image_does_not_depend_on_the_others(size):
    ours = conv2d(37, 24, 1, has_bias=True)
    images = noise(5, 37, *size)
    together = ours(ms.Tensor(images)).asnumpy()
    alone = [ours(ms.Tensor(image[None])).asnumpy()[0] for image in images]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    "read, channels, stride, size", [(24, 16, 2, (6, 8)), (512, 128, 1, (14, 16)), (64, 16, 1, (30, 28))]
)
def test_a_folded_block_of_the_encoder(read, channels, stride, size, mode):
    """By oneDNN, by Winograd, and by products of matrices."""
    theirs = randomise(resnet_pth.Bottleneck(read, channels, stride)).eval()
    ours = resnet.Bottleneck(read, channels, stride).set_train(False)
    copy_weights(theirs, ours)
    features = noise(2, read, *size)
    with running_in(mode):
        found = fast(fold_batch_norm(ours))(ms.Tensor(features)).asnumpy()
    expected = theirs(torch.tensor(features)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())
