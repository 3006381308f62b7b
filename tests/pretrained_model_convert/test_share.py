"""Weights to pass on are half as large, fit the network, and say what they are without paths of this machine."""

import json

import numpy as np
import pytest
from mindspore import nn

from pretrained_model_convert.share import share
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.train_options import TrainOptions


@pytest.fixture
def weights(tmp_path):
    """Weights of a small network, with their config.json."""
    network = nn.SequentialCell(nn.Dense(64, 64), nn.BatchNorm1d(64), nn.Dense(64, 1))
    network[2].weight.set_data(network[2].weight + 1e5)  # more than float16 holds
    path = tmp_path / "ckpt/dmr_3.ckpt"
    checkpoint.save_weights(network, path)
    options = TrainOptions().parse_args(["--ckpt_dir", str(tmp_path / "ckpt"), "--lnet_width", "0.125"])
    checkpoint.save_config(options, path.parent, {"people": {"file": "SYNTHETIC.txt", "sha256": "0" * 64}})
    return path


def test_they_are_rounded_to_half_precision_where_that_holds_them(weights, tmp_path):
    shared = share(weights, tmp_path / "shared")
    before, after = checkpoint.read_weights(weights), checkpoint.read_weights(shared)
    assert before.keys() == after.keys()
    kinds = {name: value.asnumpy().dtype for name, value in after.items()}
    assert {name for name, kind in kinds.items() if kind == np.float16} == {"0.weight"}
    np.testing.assert_allclose(after["0.weight"].asnumpy(), before["0.weight"].asnumpy(), rtol=2**-11, atol=1e-7)
    for name in before.keys() - {"0.weight"}:
        np.testing.assert_array_equal(after[name].asnumpy(), before[name].asnumpy())
    assert shared.stat().st_size < 0.6 * weights.stat().st_size


def test_a_network_in_float32_takes_them(weights, tmp_path):
    network = nn.SequentialCell(nn.Dense(64, 64), nn.BatchNorm1d(64), nn.Dense(64, 1))
    checkpoint.load_weights(network, share(weights, tmp_path / "shared"))
    assert network[0].weight.asnumpy().dtype == np.float32
    np.testing.assert_allclose(
        network[0].weight.asnumpy(), checkpoint.read_weights(weights)["0.weight"].asnumpy(), rtol=2**-11, atol=1e-7
    )


def test_config_json_tells_the_network_and_the_people_and_no_path(weights, tmp_path):
    shared = share(weights, tmp_path / "shared")
    text = shared.with_name("config.json").read_text()
    assert str(tmp_path) not in text and json.loads(text)["trained_on"]["people"]["file"] == "SYNTHETIC.txt"
    options = TrainOptions().parse_args([])
    checkpoint.adopt_architecture(options, shared, given=set())
    assert options.lnet_width == 0.125


@pytest.mark.parametrize(
    "content, message", [(None, "cannot be read"), ("[1", "cannot be read"), ("[1]", "holds a list")]
)
def test_without_a_config_json_nothing_is_written(weights, tmp_path, content, message):
    config = weights.with_name("config.json")
    config.unlink() if content is None else config.write_text(content)
    with pytest.raises(UserError, match=message):
        share(weights, tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


def test_the_weights_themselves_are_not_overwritten(weights):
    before = weights.read_bytes()
    with pytest.raises(UserError, match="name another folder"):
        share(weights, weights.parent)
    assert weights.read_bytes() == before
