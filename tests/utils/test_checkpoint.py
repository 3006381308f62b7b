"""Checkpoints: names, what fits, the newest one, checksums, and files written whole or not at all."""

import utils.environment  # noqa: F401, I001  before MindSpore

import json
import os
import subprocess
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from models.training_step import TrainingStep
from utils.checkpoints import checkpoint, checksums
from utils import config
from utils.errors import UserError
from utils.version import VERSION

WIDTH = 3


class Encoder(nn.Cell):
    def __init__(self, width=WIDTH):
        super().__init__()
        self.width = 1.0
        self.conv1 = nn.Conv2d(3, width, 1)
        self.bn1 = nn.BatchNorm2d(width)

    def construct(self, image):
        return self.bn1(self.conv1(image)).mean((2, 3))


class Part(nn.Cell):
    """Stands for the CNet: its encoder has the name that the CNet's has."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.resnet = Encoder(width)

    def construct(self, image):
        return self.resnet(image)


class Whole(nn.Cell):
    def __init__(self, width=WIDTH):
        super().__init__()
        self.CNet = Part(width)
        self.LNet = nn.Dense(width, 2)

    def construct(self, image):
        return self.LNet(self.CNet(image))


class Loss(nn.Cell):
    def __init__(self, network):
        super().__init__()
        self.DMR = network

    def construct(self, image):
        total = (self.DMR(image) ** 2).mean()
        return total, total


def training_step(network) -> TrainingStep:
    return TrainingStep(Loss(network), nn.Adam(network.trainable_params(), 0.01)).set_train(True)


def image(seed=0) -> ms.Tensor:
    return ms.Tensor(np.random.default_rng(seed).normal(size=(4, 3, 8, 8)), ms.float32)


def values(network) -> dict:
    return {name: parameter.asnumpy().copy() for name, parameter in network.parameters_and_names()}


def assert_equal(found: dict, expected: dict):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)


# ---- weights ----


def test_names_do_not_depend_on_where_the_network_sits(tmp_path):
    network = Whole()
    training_step(network)  # wraps the network, which renames its parameters
    checkpoint.save_weights(network, tmp_path / "dmr_1.ckpt")
    names = set(ms.load_checkpoint(str(tmp_path / "dmr_1.ckpt")))
    statistics = {f"CNet.resnet.bn1.{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    assert names == statistics | {"CNet.resnet.conv1.weight", "LNet.weight", "LNet.bias"}


def test_weights_and_statistics_come_back_bit_by_bit(tmp_path):
    network, other = Whole(), Whole()
    training_step(network)(image())
    checkpoint.save_weights(network, tmp_path / "dmr_1.ckpt")
    checkpoint.load_dmr(other, tmp_path / "dmr_1.ckpt")
    assert_equal(values(other), values(network))


def test_the_cnet_is_taken_from_its_own_checkpoint_or_from_the_whole_model_s(tmp_path):
    network = Whole()
    checkpoint.save_weights(network, tmp_path / "dmr_1.ckpt")
    checkpoint.save_weights(network.CNet, tmp_path / "CNet_1.ckpt")
    for name in ("dmr_1.ckpt", "CNet_1.ckpt"):
        part = Part()
        checkpoint.load_cnet(part, tmp_path / name)
        assert_equal(values(part), values(network.CNet))


def test_the_cnet_alone_is_not_the_whole_model(tmp_path):
    checkpoint.save_weights(Part(), tmp_path / "CNet_1.ckpt")
    with pytest.raises(UserError, match=r"CNet_1.ckpt holds the CNet alone, a dmr_\*.ckpt of stage end is needed"):
        checkpoint.load_dmr(Whole(), tmp_path / "CNet_1.ckpt")


def test_a_checkpoint_of_another_shape_is_refused_and_changes_nothing(tmp_path):
    checkpoint.save_weights(Whole(width=5), tmp_path / "dmr_1.ckpt")
    network = Whole()
    before = values(network)
    with pytest.raises(UserError, match=r"dmr_1.ckpt does not fit the network: CNet.resnet.conv1.weight has shape \(5"):
        checkpoint.load_dmr(network, tmp_path / "dmr_1.ckpt")
    assert_equal(values(network), before)


def test_missing_parameters_are_counted(tmp_path):
    checkpoint.save_weights(Encoder(), tmp_path / "encoder.ckpt")
    with pytest.raises(UserError, match=r"7 of 7 parameters are missing, first CNet.resnet.conv1.weight"):
        checkpoint.load_dmr(Whole(), tmp_path / "encoder.ckpt")


@pytest.mark.parametrize("damage", [lambda content: b"junk", lambda content: content[: len(content) // 2]])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(Whole(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"dmr_1.ckpt is damaged: its SHA-256 is"):
        checkpoint.load_dmr(Whole(), path)
    checksums.sum_file(path).unlink()  # weights from elsewhere have none
    with pytest.raises(UserError, match=r"dmr_1.ckpt (is not a readable MindSpore checkpoint|does not fit)"):
        checkpoint.load_dmr(Whole(), path)


def test_one_flipped_bit_is_found(tmp_path):
    path = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(Whole(), path)
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.load_dmr(Whole(), path)


def test_the_command_sha256sum_agrees(tmp_path):
    checkpoint.save_weights(Whole(), tmp_path / "dmr_1.ckpt")
    subprocess.run(["sha256sum", "--check", "--strict", "dmr_1.ckpt.sha256"], cwd=tmp_path, check=True)


def test_an_interrupted_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(Whole(), path)
    before = path.read_bytes()

    def die_in_the_middle(entries, name, **_):
        with open(name, "wb") as stream:
            stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(ms, "save_checkpoint", die_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save_weights(Whole(), path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["dmr_1.ckpt", "dmr_1.ckpt.sha256"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "ckpt").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write to the folder .*ckpt.*rank0: Not a directory"):
        checkpoint.save_weights(Whole(), tmp_path / "ckpt" / "rank0" / "dmr_1.ckpt")


def test_memory_that_caches_files_does_not_keep_a_checkpoint_from_being_read(tmp_path, monkeypatch):
    """A machine with no free memory, only with cache, which it gives up when memory is asked for."""
    checkpoint.save_weights(Whole(), tmp_path / "dmr_1.ckpt")
    ones, free = np.ones, [1]

    def ask(count, dtype):
        free[0] += count
        return ones(count, dtype)

    monkeypatch.setattr(os, "sysconf", lambda name: free[0] if name == "SC_AVPHYS_PAGES" else 1)
    with pytest.raises(ValueError, match="exceeds current available memory"):
        ms.load_checkpoint(str(tmp_path / "dmr_1.ckpt"))
    monkeypatch.setattr(np, "ones", ask)
    assert "LNet.weight" in checkpoint.read_checkpoint(tmp_path / "dmr_1.ckpt")


# ---- which file ----


def test_the_newest_is_of_the_highest_epoch_whatever_its_date(tmp_path):
    for age, name in enumerate(["dmr_2.ckpt", "dmr_30.ckpt", "CNet_5.ckpt", "dmr_best.ckpt", ".dmr_99.x.ckpt"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert checkpoint.newest(tmp_path, "dmr").name == "dmr_30.ckpt"
    assert checkpoint.newest(tmp_path, "CNet").name == "CNet_5.ckpt"
    for age, name in enumerate(["dmr_0030.ckpt", "dmr_030.ckpt"]):  # of one epoch, the younger
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (2000 - age, 2000 - age))
    assert checkpoint.newest(tmp_path, "dmr").name == "dmr_0030.ckpt"
    assert checkpoint.newest(tmp_path / "nowhere", "dmr") is None


def test_a_folder_stands_for_the_newest_weights_in_it_or_in_its_rank_0(tmp_path):
    (tmp_path / "rank0").mkdir()
    for name in ("dmr_9.ckpt", "dmr_10.ckpt", "CNet_5.ckpt"):
        (tmp_path / "rank0" / name).touch()
    for folder in (tmp_path, tmp_path / "rank0"):
        assert checkpoint.find_weights(folder, "dmr") == tmp_path / "rank0/dmr_10.ckpt"
        assert checkpoint.find_weights(folder, "CNet", "dmr") == tmp_path / "rank0/CNet_5.ckpt"
    assert checkpoint.find_weights(tmp_path / "none.ckpt", "dmr") == tmp_path / "none.ckpt"  # said when it is read


def test_a_folder_without_weights_is_refused_with_what_it_holds(tmp_path):
    (tmp_path / "mine.ckpt").touch()
    with pytest.raises(
        UserError, match=r"there is no dmr_\*.ckpt in .* Train first, or name one .*: it holds mine.ckpt\."
    ):
        checkpoint.find_weights(tmp_path, "dmr")


def test_encoder_weights_are_taken_where_there_are_any(tmp_path):
    before = config.data_root()
    config.set_data_root(tmp_path)
    try:
        encoder, trained = Encoder(), Encoder()
        assert checkpoint.load_encoder(encoder).startswith("encoder starts from random weights")
        checkpoint.save_weights(trained, config.RESNET_CKPT_ALTERNATIVE)
        assert checkpoint.load_encoder(encoder).endswith(f"ImageNet weights {config.RESNET_CKPT_ALTERNATIVE}")
        assert_equal(values(encoder), values(trained))
        encoder.width = 0.25
        assert "are of full width" in checkpoint.load_encoder(encoder)
    finally:
        config.set_data_root(before)


# ---- the architecture beside the weights ----


@pytest.fixture
def trained(tmp_path):
    """A checkpoint's path with the options it was trained with beside it."""
    checkpoint.save_config(SimpleNamespace(lnet_width=0.125, img_res=96, batch_size=8), tmp_path)
    return tmp_path / "dmr_1.ckpt"


def test_the_architecture_is_adopted_and_nothing_else(trained):
    options = SimpleNamespace(lnet_width=1.0, img_res=224, batch_size=16)
    checkpoint.adopt_architecture(options, trained, given={"batch_size"})
    assert vars(options) == {"lnet_width": 0.125, "img_res": 96, "batch_size": 16}


def test_a_contradiction_on_the_command_line_is_refused(trained):
    options = SimpleNamespace(lnet_width=1.0, img_res=96)
    with pytest.raises(UserError, match=r"--lnet_width 1.0, but .*dmr_1.ckpt was trained with 0.125"):
        checkpoint.adopt_architecture(options, trained, given={"lnet_width", "img_res"})


def test_without_config_json_the_options_stand(tmp_path):
    options = SimpleNamespace(lnet_width=0.5)
    checkpoint.adopt_architecture(options, tmp_path / "dmr_1.ckpt", given=set())
    assert options.lnet_width == 0.5


@pytest.mark.parametrize("content", ["{", "3", "null"])
def test_a_damaged_config_json_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        checkpoint.adopt_architecture(SimpleNamespace(), tmp_path / "dmr_1.ckpt", given=set())


def test_config_json_holds_every_option(tmp_path):
    options = SimpleNamespace(lnet_width=0.125, stage=None, no_flip=False)
    checkpoint.save_config(options, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == vars(options) | {"version": VERSION}
