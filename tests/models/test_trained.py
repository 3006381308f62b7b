"""The network that evaluation, demo and export start from: which file it is, and that it is what the file holds."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from models.batch_norm_folding import fold_batch_norm
from models.inference import MeshPredictor, find_checkpoint, find_checkpoints, load_trained
from models.uv_generator import Index_UV_Generator
from tests.helpers import tiny_decomr
from tests.helpers.short_train import BLOCKS
from tests.helpers.small_network import random_network
from tests.helpers.tiny_decomr import ATLAS_SIZE
from utils.checkpoints import checkpoint
from utils.errors import UserError


@pytest.fixture
def few_blocks(monkeypatch):
    """The encoder with one block of each kind."""
    monkeypatch.setattr("models.resnet.STAGE_BLOCKS", BLOCKS)


@pytest.fixture
def folder(tmp_path):
    for name in ("dmr_1.ckpt", "dmr_2.ckpt", "CNet_9.ckpt"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_pattern_names_its_files_once_each_and_a_plain_name_itself(folder):
    words = [f"{folder}/dmr_*.ckpt", f"{folder}/dmr_2.ckpt", f"{folder}/none.ckpt"]
    found = find_checkpoints(SimpleNamespace(checkpoint=words))
    assert found == [folder / "dmr_1.ckpt", folder / "dmr_2.ckpt", folder / "none.ckpt"]


def test_a_pattern_without_files_is_refused(folder):
    with pytest.raises(UserError, match=r"--checkpoint \S+epoch_\*: no file has such a name"):
        find_checkpoints(SimpleNamespace(checkpoint=[f"{folder}/epoch_*"]))


def test_without_a_name_the_newest_of_both_networks_is_taken(folder):
    options = SimpleNamespace(checkpoint=None, eval_dir=folder)
    assert find_checkpoints(options) == [folder / "dmr_2.ckpt"]
    for path in folder.glob("dmr_*"):
        path.unlink()
    with pytest.raises(UserError, match="there is no dmr_.* Train first"):
        find_checkpoint(options)


@pytest.mark.usefixtures("few_blocks")
def test_a_loaded_network_has_every_bit_of_the_file_and_does_not_train(root, tmp_path):
    words = [*tiny_decomr.OPTIONS, "--data_dir", root]
    options, saved = random_network(root, *words)
    checkpoint.save_weights(saved, tmp_path / "dmr_1.ckpt")
    ms.set_seed(1)
    loaded = load_trained(options, tmp_path / "dmr_1.ckpt")
    own = dict(saved.parameters_and_names())
    for name, parameter in loaded.parameters_and_names():
        np.testing.assert_array_equal(parameter.asnumpy(), own[name].asnumpy(), name)
    assert not any(cell.training for _, cell in loaded.cells_and_names())


def test_the_mesh_is_the_location_map_read_at_the_vertices(root):
    class Known(nn.Cell):
        def construct(self, image):
            return image, location_map, ms.ops.ones((1, 3))

    vertices = np.random.default_rng(0).normal(size=(1, 642, 3)).astype(np.float32)
    sampler = Index_UV_Generator(ATLAS_SIZE, data_dir=root)
    location_map = sampler.get_UV_map(ms.Tensor(vertices))
    image = ms.ops.zeros((1, 3, 8, 8))
    dp_out, found, camera = MeshPredictor(Known(), sampler)(image)
    np.testing.assert_array_equal(found.asnumpy(), sampler.resample(location_map).asnumpy())
    assert dp_out.shape == image.shape and camera.shape == (1, 3)


def give_statistics(network: nn.Cell, rng) -> None:
    """What training leaves in BatchNorm layers: none of it 0 or 1."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, nn.BatchNorm2d):
            for parameter in (cell.gamma, cell.beta, cell.moving_mean, cell.moving_variance):
                parameter.set_data(ms.Tensor(rng.uniform(0.5, 1.5, parameter.shape).astype(np.float32)))


@pytest.mark.usefixtures("few_blocks")
@pytest.mark.parametrize("norm_type", ["GN", "BN"])
def test_batch_norm_within_the_convolutions_changes_nothing(norm_type, root):
    rng = np.random.default_rng(0)
    _, dmr = random_network(root, *tiny_decomr.OPTIONS, "--data_dir", root, "--norm_type", norm_type)
    give_statistics(dmr, rng)
    dmr.set_train(False)
    image = ms.Tensor(rng.normal(size=(2, 3, 64, 64)).astype(np.float32))
    surface = dmr.CNet(image)  # the LNet gets the same twice: rounding may carry a pixel to another cell
    before = [output.asnumpy() for output in (*surface, *dmr.LNet(*surface))]
    folded = fold_batch_norm(dmr)
    left = [name for name, cell in folded.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    assert left == ([] if norm_type == "GN" else ["LNet.hg.norm"])  # that one follows a sum
    for old, new in zip(before, (*folded.CNet(image), *folded.LNet(*surface)), strict=True):
        np.testing.assert_allclose(new.asnumpy(), old, rtol=0, atol=1e-5 * np.abs(old).max())
