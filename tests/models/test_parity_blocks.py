"""Every building block gives PyTorch's outputs, gradients and running statistics, in both modes."""

import models  # noqa: F401, I001  before MindSpore

import itertools

import numpy as np
import pytest
import torch
from mindspore import nn

from models import dense_cnn, layer, resnet, upsample
from models.grid_sample import GridSample
from pretrained_model_convert import resnet_pth
from tests.helpers.parity import COMPILED, assert_same_layer
from tests.reference import networks, surface

torch.set_num_threads(1)
NORMS = ("GN", "BN")
CHANNELS = ((32, 64), (32, 32))  # with a skip that is projected, and one that is not
# few pixels: the 3x3 convolution runs on the enlarged image; many: as a transposed convolution
SIZES = {"few pixels": (3, 32, 5, 4), "many pixels": (2, 32, 13, 12)}
ENCODER_BLOCKS = ((1, 64), (2, 64), (1, 32))  # stride, channels; the first has no downsampling


@pytest.fixture(params=["pynative", "graph"])
def mode(request):
    return request.param


def noise(*shape, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# Graphs take seconds each, so a choice that construct does not see has one: either norm, either skip. With compiled
# kernels tests/kernels/test_operators.py has the blocks that they fuse; here are those that they leave in parts.


@pytest.mark.parametrize(
    "variant, norm_type, channels",
    [
        *(("pynative", *case) for case in itertools.product(NORMS, CHANNELS)),
        ("graph", "GN", (32, 64)),
        ("graph", "BN", (32, 32)),
        *((variant, "BN", (32, 64)) for variant in COMPILED),
    ],
)
def test_conv_bottleneck(channels, norm_type, variant):
    ours, theirs = layer.ConvBottleNeck(*channels, norm_type), networks.ConvBottleNeck(*channels, norm_type)
    assert_same_layer(ours, theirs, [noise(2, channels[0], 6, 5)], variant)


@pytest.mark.parametrize(
    "variant, norm_type, size",
    [
        *itertools.product(("pynative", "graph", *COMPILED), ("GN",), SIZES),
        *itertools.product(("pynative", "graph"), ("BN",), ("few pixels",)),  # the size chooses nothing here
    ],
)
def test_upsampling_before_or_after_the_pixelwise_half_of_a_block_is_the_same(norm_type, size, variant):
    theirs = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2), networks.ConvBottleNeck(32, 16, norm_type))
    assert_same_layer(layer.NearestBottleNeck(32, 16, norm_type), theirs, [noise(*SIZES[size])], variant)


@pytest.mark.parametrize(
    "variant, norm_type",
    [
        ("pynative", "GN"),
        ("pynative", "BN"),
        pytest.param("graph", "BN", marks=pytest.mark.slow),
        *((variant, "GN") for variant in COMPILED),
    ],
)
def test_interpolating_after_the_linear_layers_of_a_block_is_the_same(norm_type, variant):
    upsample2 = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    theirs = torch.nn.Sequential(upsample2, networks.ConvBottleNeck(32, 16, norm_type))
    assert_same_layer(layer.BilinearBottleNeck(32, 16, norm_type), theirs, [noise(3, 32, 5, 4)], variant)


# BatchNorm in graph mode takes 8 s to compile; test_conv_bottleneck has that pair
@pytest.mark.parametrize(
    "mode, norm_type", [("pynative", "GN"), ("pynative", "BN"), pytest.param("graph", "GN", marks=pytest.mark.slow)]
)
def test_hourglass(mode, norm_type):
    """Of two levels, which can be mixed up; test_lnet has three."""
    ours, theirs = layer.HourGlass(16, 2, norm_type), networks.HourGlass(16, 2, norm_type)
    assert_same_layer(ours, theirs, [noise(3, 16, 8, 8)], mode)


@pytest.mark.parametrize(
    "variant, stride, in_channels",
    [
        *(("pynative", *block) for block in ENCODER_BLOCKS),
        *(("graph", *block) for block in ENCODER_BLOCKS[:2]),
        *((variant, *ENCODER_BLOCKS[0]) for variant in COMPILED),
    ],
)
def test_residual_block(stride, in_channels, variant):
    ours, theirs = resnet.Bottleneck(in_channels, 16, stride), resnet_pth.Bottleneck(in_channels, 16, stride)
    assert_same_layer(ours, theirs, [noise(2, in_channels, 8, 8)], variant)


def test_heads_on_the_codes(mode):
    theirs = networks.LNet(np.zeros((1, 64, 64, 3), np.float32), width=0.125)
    assert_same_layer(dense_cnn.make_fc_head(2048, 32), theirs.fc_head, [noise(4, 2048)], mode)
    assert_same_layer(dense_cnn.make_camera_head(2048), theirs.camera, [noise(4, 2048)], mode)


class Function(torch.nn.Module):
    """A PyTorch function as a module without parameters."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


class FunctionCell(nn.Cell):
    """A MindSpore function as a cell without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def construct(self, *inputs):
        return self.function(*inputs)


def test_upsampling(mode):
    assert_same_layer(upsample.NearestUpsample2(), torch.nn.Upsample(scale_factor=2), [noise(2, 3, 5, 4)], mode)
    bilinear = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    assert_same_layer(upsample.BilinearUpsample2(), bilinear, [noise(2, 3, 5, 4)], mode)


class Resize(nn.Cell):
    def __init__(self, way: str, size: int):
        super().__init__()
        self.resize = {"nearest": upsample.resize_nearest, "bilinear": upsample.resize_bilinear}[way]
        self.size = size

    def construct(self, features):
        return self.resize(features, self.size, self.size)


@pytest.mark.parametrize("way", ["nearest", "bilinear"])
@pytest.mark.parametrize("small, large", [(56, 224), (14, 60)])
def test_resizing_to_the_target_of_the_losses(small, large, way, mode):
    theirs = Function(lambda x: torch.nn.functional.interpolate(x, (large, large), mode=way))
    assert_same_layer(Resize(way, large), theirs, [noise(1, 2, small, small)], mode)


class SampledAt(nn.Cell):
    """The look-up with the map last, where assert_same_layer wants what gradients reach."""

    def __init__(self, sample: nn.Cell):
        super().__init__()
        self.sample = sample

    def construct(self, grid, feature_map):
        return self.sample(feature_map, grid)


def sampled_by_torch(grid, feature_map):
    return torch.nn.functional.grid_sample(feature_map, grid, padding_mode="border", align_corners=True)


def test_grid_sampling(mode):
    grid = np.random.default_rng(2).uniform(-1.2, 1.2, (2, 7, 6, 2)).astype(np.float32)
    assert_same_layer(SampledAt(GridSample()), Function(sampled_by_torch), [grid, noise(2, 3, 9, 8)], mode)


def dp_image(batch: int, height: int, width: int, share: float) -> np.ndarray:
    """(mask, u, v) [B, 3, h, w] away from the places where rounding could go either way."""
    rng = np.random.default_rng(5)
    mask = np.where(rng.random((batch, 1, height, width)) < share, 0.9, 0.1)
    # a small part of the surface, so that many pixels share a cell
    uv = (rng.integers(20, 30, (batch, 2, height, width)) + rng.uniform(-0.4, 0.4, (batch, 2, height, width))) / 63
    return np.concatenate([mask, uv], 1).astype(np.float32)


@pytest.mark.parametrize("share", [0.6, 0.0])
def test_warp(share, mode):
    theirs = Function(lambda dp_out, features: surface.warp_feature(dp_out, features, 64))
    inputs = [dp_image(3, 14, 16, share), noise(3, 8, 14, 16)]
    assert_same_layer(dense_cnn.Warp(64), theirs, inputs, mode)
