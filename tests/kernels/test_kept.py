"""Layers whose weights stay keep prepared kernels: the same bits, each layer its own, as long as it lives."""

import models  # noqa: F401, I001  before MindSpore

import gc

import mindspore as ms
import numpy as np
import psutil
import pytest
from mindspore import nn

from models.batch_norm_folding import fold_batch_norm
from models.layer import ConvBottleNeck, NearestBottleNeck
from models.resnet import Bottleneck
from tests.helpers.parity import as_variant, running_in
from tests.models.test_parity_blocks import noise

LAYERS = {
    "3x3 by Winograd, channels in parts": (lambda: conv2d(128, 640, 3), (1, 128, 16, 16)),
    "3x3 by oneDNN": (lambda: conv2d(24, 40, 3), (2, 24, 9, 7)),
    "1x1 by oneDNN": (lambda: conv2d(24, 40, 1), (2, 24, 9, 7)),
    "1x1 as a product": (lambda: conv2d(24, 40, 1), (1, 24, 30, 30)),
    "a block that projects its skip": (lambda: ConvBottleNeck(128, 256), (1, 128, 14, 14)),
    "a block that keeps its skip": (lambda: ConvBottleNeck(64, 64), (2, 64, 9, 9)),
    "a folded block of the encoder": (lambda: folded_block(512, 128, 1), (1, 512, 14, 14)),
    "one that halves": (lambda: folded_block(32, 16, 2), (2, 32, 30, 30)),
    "a block that enlarges": (lambda: NearestBottleNeck(128, 64), (1, 128, 12, 12)),
    "a block that enlarges few pixels": (lambda: NearestBottleNeck(128, 64), (1, 128, 5, 5)),
}


def conv2d(read: int, written: int, size: int) -> nn.Conv2d:
    return nn.Conv2d(read, written, size, pad_mode="pad", padding=size // 2, has_bias=True)


def folded_block(read: int, channels: int, stride: int) -> nn.Cell:
    return fold_batch_norm(Bottleneck(read, channels, stride).set_train(False))


def same_twice(make) -> tuple[nn.Cell, nn.Cell]:
    """Two layers with the same weights; the second one keeps its kernels."""
    plain, keeping = make(), make()
    for own, other in zip(keeping.get_parameters(), plain.get_parameters(), strict=True):
        own.set_data(other)
    as_variant(plain, "compiled")
    as_variant(keeping, "compiled", weights_stay=True)
    return plain.set_train(False), keeping.set_train(False)


@pytest.mark.parametrize("mode", ["pynative", "graph"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_call_has_the_bits_of_a_layer_that_keeps_nothing(name, mode):
    make, shape = LAYERS[name]
    with running_in(mode):
        plain, keeping = same_twice(make)
        other_size = (3, shape[1], shape[2] + 2, shape[3] + 2)
        for number, size in enumerate((shape, shape, other_size, shape)):
            features = ms.Tensor(noise(*size, seed=number))
            np.testing.assert_array_equal(keeping(features).asnumpy(), plain(features).asnumpy())


def test_each_layer_has_its_own_kernel():
    features = ms.Tensor(noise(1, 128, 16, 16))
    pairs = [same_twice(lambda: conv2d(128, 128, 3)) for _ in range(3)]
    for _ in range(2):
        for plain, keeping in pairs:
            np.testing.assert_array_equal(keeping(features).asnumpy(), plain(features).asnumpy())


def test_kernels_are_forgotten_with_their_layer():
    features, process = ms.Tensor(noise(1, 256, 16, 16)), psutil.Process()

    def use_one() -> float:
        layer = conv2d(256, 256, 3)
        as_variant(layer, "compiled", weights_stay=True)
        layer(features)
        del layer
        gc.collect()
        return process.memory_info().rss / 2**20

    before = [use_one() for _ in range(5)][-1]
    after = [use_one() for _ in range(40)][-1]  # 4 MiB of factors each
    assert after - before < 60
