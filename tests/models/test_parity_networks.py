"""CNet, LNet and the whole model give PyTorch's outputs with PyTorch's weights, in eval and in train mode."""

import models  # noqa: F401, I001  before MindSpore

import copy

import mindspore as ms
import numpy as np
import pytest
import torch

from models.dense_cnn import DPNet, UVNet
from models.DMR import DMR
from tests.helpers.parity import (
    COMPILED,
    OUTPUT_TOLERANCE,
    as_variant,
    assert_close,
    copy_weights,
    flat,
    named_arrays,
    randomise,
    relative,
    running_in,
    settle_warp,
    shorten_encoder,
)
from tests.reference import networks
from tests.models.test_parity_blocks import dp_image, noise

torch.set_num_threads(1)
NARROW = 0.125
VARIANTS = [
    ("pynative", "GN"),
    ("pynative", "BN"),
    *((variant, "GN") for variant in COMPILED),
    pytest.param("graph", "GN", marks=pytest.mark.slow),
]


def own_errors(module, inputs) -> list:
    """How far PyTorch's float32 is off the exact result, computed in float64, by output."""
    exact = flat(copy.deepcopy(module).double()(*(torch.tensor(array).double() for array in inputs)))
    single = flat(copy.deepcopy(module)(*map(torch.tensor, inputs)))
    return [relative(ours, theirs) for ours, theirs in zip(single, exact, strict=True)]


def assert_same_network(cell, module, inputs, variant, trains=(False, True), as_exact_as_torch=False):
    """Outputs, and statistics after a pass in train mode.

    as_exact_as_torch: allow more where PyTorch's own rounding is near the tolerance.
    """
    copy_weights(module, cell)
    mode = as_variant(cell, variant)
    with running_in(mode), torch.no_grad():
        for train in trains:
            module.train(train)
            cell.set_train(train)
            own = own_errors(module, inputs) if as_exact_as_torch else [0] * 3
            tolerances = [max(OUTPUT_TOLERANCE, 2 * error) for error in own]
            expected = flat(module(*map(torch.tensor, inputs)))
            found = flat(cell(*map(ms.Tensor, inputs)))
            for index, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
                assert_close(ours.asnumpy(), theirs, tolerances[index], f"output {index}, train {train}")
        after = named_arrays(module)
        for name, parameter in cell.parameters_and_names():
            assert_close(parameter.asnumpy(), after[name], what=name)


def reference_map(warp_level: int) -> np.ndarray:
    size = 256 >> warp_level
    return noise(1, size, size, 3)


def lnet_inputs(warp_level: int, batch: int = 3) -> list:
    channels, size = networks.CHANNELS[warp_level], 64 >> warp_level
    return [dp_image(batch, size, size, 0.6), noise(batch, channels, size, size), noise(batch, 2048)]


@pytest.mark.parametrize("variant, norm_type", VARIANTS)
def test_cnet(variant, norm_type, monkeypatch):
    """With all blocks of the encoder in PYNATIVE mode with GroupNorm; test_parity_training.py has them compiled."""
    if (variant, norm_type) != VARIANTS[0]:
        shorten_encoder(monkeypatch)
    ours, theirs = DPNet(norm_type=norm_type), randomise(networks.CNet(norm_type=norm_type))
    # smaller images leave BatchNorm too few pixels at stride 32: either library is 1e-4 off the exact result then
    assert_same_network(ours, theirs, [noise(4, 3, 96, 96)], variant)


def test_thin_cnet_and_the_lnet_behind_it():
    ours, theirs = DPNet(width=0.25), randomise(networks.CNet(width=0.25))
    assert_same_network(ours, theirs, [noise(4, 3, 96, 96)], "pynative")
    ours = UVNet(reference_map(2), width=NARROW, cnet_width=0.25)
    theirs = randomise(networks.LNet(reference_map(2), width=NARROW, cnet_width=0.25))
    dp_out, features, codes = lnet_inputs(2)
    assert_same_network(ours, theirs, [dp_out, features[:, :64], codes[:, :512]], "pynative")


@pytest.mark.parametrize("variant, norm_type", VARIANTS)
def test_lnet(variant, norm_type):
    ours = UVNet(reference_map(2), norm_type=norm_type, width=NARROW)
    theirs = randomise(networks.LNet(reference_map(2), norm_type=norm_type, width=NARROW))
    assert_same_network(ours, theirs, lnet_inputs(2), variant)


@pytest.mark.parametrize(
    "warp_level, uv_res, uv_channels", [(1, 128, 128), (1, 256, 128), (2, 256, 256), (3, 128, 256)]
)
def test_other_resolutions_of_the_surface(warp_level, uv_res, uv_channels):
    reference = reference_map(warp_level)
    ours = UVNet(reference, uv_res, uv_channels, warp_level, width=NARROW)
    theirs = randomise(networks.LNet(reference, uv_res, uv_channels, warp_level, width=NARROW))
    assert_same_network(ours, theirs, lnet_inputs(warp_level, 2), "pynative", trains=[True])


@pytest.mark.slow
# narrow networks are compared in every combination; these two take minutes each
@pytest.mark.parametrize(
    "train, batch, size, variant", [*((False, 2, 224, variant) for variant in COMPILED), (True, 6, 96, "pynative")]
)
def test_the_full_size_model(train, batch, size, variant):
    """The paper's widths, image to location map; BatchNorm on the codes needs some images to take statistics of."""
    ours = DMR(DPNet(), UVNet(reference_map(2)))
    theirs = randomise(networks.DMR(networks.CNet(), networks.LNet(reference_map(2)))).train(train)
    settle_warp(theirs.CNet)
    # of different contrast and colour: BatchNorm magnifies what distinguishes the images, rounding too
    contrast = np.linspace(0.3, 2, batch, dtype=np.float32)[:, None, None, None]
    image = contrast * noise(batch, 3, size, size) + 2 * noise(batch, 3, 1, 1)
    with torch.no_grad():
        cells = theirs.CNet(torch.tensor(image))[0][:, 1:] * 63
    assert (cells - cells.round()).abs().max() < 0.3
    assert_same_network(ours, theirs, [image], variant, trains=[train], as_exact_as_torch=train)
