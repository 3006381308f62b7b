"""Weights go from PyTorch to MindSpore and back by name; what does not fit is refused and leaves no file."""

import models  # noqa: F401, I001  before MindSpore

import pickle
import subprocess
import sys
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import torch

from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from models.resnet import ResNet50
from pretrained_model_convert import conversion, pth_to_msp, resnet_pth, vgg_msp, vgg_pth
from tests.helpers import tiny_decomr
from tests.helpers.parity import named_arrays, randomise, shorten_encoder
from tests.reference import networks
from utils.checkpoints import checkpoint
from utils import config
from utils.errors import UserError

torch.set_num_threads(1)
REPOSITORY = Path(__file__).resolve().parents[2]


def convert(model, pth_file, msp_file, *arguments):
    """Run the tool as its command line does."""
    words = ["--model", model, "--pth_file", str(pth_file), "--msp_file", str(msp_file), *arguments]
    sys.argv[1:], before = words, sys.argv[1:]
    try:
        pth_to_msp.main()
    finally:
        sys.argv[1:] = before


def assert_equal_weights(network, module) -> None:
    expected = named_arrays(module)
    found = dict(network.parameters_and_names())
    assert found.keys() == expected.keys()
    for name, parameter in found.items():
        np.testing.assert_array_equal(parameter.asnumpy(), expected[name], err_msg=name)


def with_torchvision_extras(module, classifier: str) -> dict:
    """A state_dict as torchvision saves it: with counters and a classifier."""
    return module.state_dict() | {f"{classifier}.weight": torch.zeros(10, 4), f"{classifier}.bias": torch.zeros(10)}


@pytest.fixture
def decomr(monkeypatch):
    """CNet and LNet of PyTorch, the LNet narrow, the encoder with few blocks; that of all blocks has its own test."""
    shorten_encoder(monkeypatch)
    lnet = networks.LNet(np.zeros((1, 64, 64, 3), np.float32), width=0.125)
    return networks.DMR(randomise(networks.CNet(), 1), randomise(lnet, 2))


@pytest.fixture
def decomr_file(decomr, tmp_path_factory):
    """A checkpoint of the public release's form, saved from parallel wrappers, with other things beside the weights."""
    path = tmp_path_factory.mktemp("release") / "decomr.pt"
    parallel = {f"module.{name}": value for name, value in decomr.CNet.state_dict().items()}
    parallel["module.resnet.fc.weight"], parallel["module.resnet.fc.bias"] = torch.zeros(1000, 2048), torch.zeros(1000)
    order = np.random.default_rng(0).permutation(5)
    content = {"CNet": parallel, "LNet": decomr.LNet.state_dict(), "epoch": 3, "dataset_perm": order}
    torch.save(content | {"learning_rate": np.float64(1e-4)}, path)
    return path


def test_an_imagenet_encoder_is_found_and_loaded_by_training(tmp_path, capsys):
    theirs = randomise(resnet_pth.ResNet50())
    torch.save(with_torchvision_extras(theirs, "fc"), tmp_path / "resnet50.pth")
    before = config.data_root()
    config.set_data_root(tmp_path)
    try:
        convert("resnet", tmp_path / "resnet50.pth", config.RESNET_CKPT)
        encoder = ResNet50()
        line = checkpoint.load_encoder(encoder)
    finally:
        config.set_data_root(before)
    assert "ms_resnet50.ckpt" in line and "265 of 265" in capsys.readouterr().out
    assert_equal_weights(encoder, theirs)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_vgg_with_and_without_batch_norm(tmp_path, batch_norm):
    theirs = randomise(vgg_pth.VGG16(batch_norm))
    torch.save({"state_dict": with_torchvision_extras(theirs, "classifier.0")}, tmp_path / "vgg.pth")
    convert("vgg", tmp_path / "vgg.pth", tmp_path / "vgg.ckpt")
    ours = vgg_msp.VGG16(batch_norm)
    checkpoint.load_weights(ours, tmp_path / "vgg.ckpt")
    assert_equal_weights(ours, theirs)


def test_a_released_model_there_and_back(tmp_path, decomr, decomr_file):
    convert("decomr", decomr_file, tmp_path / "dmr_1.ckpt")
    with tiny_decomr.data_root(tmp_path):
        ours = DMR(DPNet(), get_LNet(tiny_decomr.make_options()))
    checkpoint.load_weights(ours, tmp_path / "dmr_1.ckpt")
    assert_equal_weights(ours, decomr)

    convert("decomr", tmp_path / "back.pt", tmp_path / "dmr_1.ckpt", "--reverse")
    content = torch.load(tmp_path / "back.pt", weights_only=True)
    released = networks.CNet()
    released.resnet.fc = torch.nn.Linear(2048, 1000)  # the release's encoder has it, so strict loading wants it
    released.load_state_dict(content["CNet"])
    lnet = networks.LNet(np.zeros((1, 64, 64, 3), np.float32), width=0.125)
    lnet.load_state_dict(content["LNet"])
    for name, value in [*decomr.CNet.state_dict().items(), *decomr.LNet.state_dict().items()]:
        if not name.endswith("num_batches_tracked"):
            part = "LNet" if name in content["LNet"] else "CNet"
            assert torch.equal(content[part][name], value), name


def test_an_architecture_that_contradicts_the_weights_leaves_no_file(tmp_path, decomr_file):
    with pytest.raises(
        UserError, match=r"--lnet_width is 0.25, but the weights in \S+ have 0.125: give --lnet_width 0.125"
    ):
        convert("decomr", decomr_file, tmp_path / "dmr_1.ckpt", "--lnet_width", "0.25")
    (tmp_path / "config.json").write_text('{"uv_channels": 64}')
    with pytest.raises(UserError, match=r"config.json is of another network"):
        convert("decomr", decomr_file, tmp_path / "dmr_1.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_missing_and_unknown_weights_are_named(tmp_path, capsys):
    state = resnet_pth.ResNet50().state_dict()
    state["layer9.weight"] = state.pop("layer1.0.conv1.weight")
    torch.save(state, tmp_path / "resnet.pth")
    with pytest.raises(UserError, match="2 names"):
        convert("resnet", tmp_path / "resnet.pth", tmp_path / "resnet.ckpt")
    report = capsys.readouterr().out
    assert "missing: layer1.0.conv1.weight" in report and "unknown: layer9.weight" in report


@pytest.mark.parametrize("swapped", [("gamma", "beta"), ("moving_mean", "moving_variance")])
def test_networks_that_compute_something_else_leave_no_file(tmp_path, monkeypatch, swapped):
    """A mapping that mixes up two names of equal shape fits every shape; only running both networks shows it."""
    torch.save(randomise(vgg_pth.VGG16(True)).state_dict(), tmp_path / "vgg.pth")
    names = dict(conversion.PYTORCH_NAMES)
    names[swapped[0]], names[swapped[1]] = names[swapped[1]], names[swapped[0]]
    monkeypatch.setattr(conversion, "PYTORCH_NAMES", names)
    with pytest.raises(UserError, match="differ"):
        convert("vgg", tmp_path / "vgg.pth", tmp_path / "vgg.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["vgg.pth"]


class RunsCode:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/this-pickle-ran-code"),))


def truncated(path):
    torch.save(resnet_pth.Bottleneck(64, 64).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-2000])


BAD_FILES = {
    "truncated": (truncated, "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "truncated"),
    "text": (lambda path: path.write_text("weights"), "not a PyTorch checkpoint"),
    "runs_code": (lambda path: path.write_bytes(pickle.dumps(RunsCode(), 2)), "not a PyTorch checkpoint"),
    "module": (
        lambda path: torch.save(resnet_pth.Bottleneck(64, 64), path),
        r"is a whole pickled model \(\S+.Bottleneck\).*torch.save\(model.state_dict\(\)",
    ),
    "list": (lambda path: torch.save([torch.zeros(3)], path), "holds a list"),
    "numbers": (lambda path: torch.save({"epoch": 3}, path), "'epoch' is a int"),
    "missing": (lambda path: None, "does not exist"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_what_is_no_checkpoint_gives_one_line_and_no_file(tmp_path, kind):
    write, message = BAD_FILES[kind]
    write(tmp_path / "weights.pth")
    with pytest.raises(UserError, match=message) as caught:
        convert("resnet", tmp_path / "weights.pth", tmp_path / "weights.ckpt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "weights.ckpt").exists() and not Path("/tmp/this-pickle-ran-code").exists()


def test_other_networks_are_told_apart(tmp_path):
    torch.save(resnet_pth.Bottleneck(64, 64).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(UserError, match="no CNet and no LNet"):
        convert("decomr", tmp_path / "weights.pth", tmp_path / "weights.ckpt")
    with pytest.raises(UserError, match="ends in .ckpt"):
        convert("resnet", tmp_path / "weights.pth", tmp_path / "weights.msp")
    ms.save_checkpoint(vgg_msp.VGG16(), str(tmp_path / "vgg.ckpt"))
    with pytest.raises(UserError, match="holds a VGG-16, expected a ResNet-50. Give 'vgg' as MODEL_NAME"):
        convert("resnet", tmp_path / "back.pth", tmp_path / "vgg.ckpt", "--reverse")
    assert not (tmp_path / "back.pth").exists()


def test_the_script_ends_with_code_2_and_one_line(tmp_path):
    script = REPOSITORY / "scripts" / "convert_model.sh"
    for arguments in (["resnet"], ["resnet", tmp_path / "none.pth", tmp_path / "out.ckpt"]):
        result = subprocess.run(["bash", script, *arguments], capture_output=True, text=True)
        assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1 and "none.pth does not exist" in result.stderr
