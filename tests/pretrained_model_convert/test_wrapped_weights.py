"""Weights are found in what training scripts save, under any wrapper; code is never run to find them."""

import argparse
import datetime
import pathlib
import pickle
from collections import Counter, OrderedDict, defaultdict

import numpy as np
import pytest
import safetensors.torch
import torch

from pretrained_model_convert import resnet_pth, vgg_pth
from pretrained_model_convert.files import read_pytorch
from pretrained_model_convert.known_networks import identify_network
from pretrained_model_convert.pairs import PAIRS
from pretrained_model_convert.wrapping import KNOWN, extract_state_dict, unwrap
from utils.errors import UserError

STATE = OrderedDict((f"conv{i}.weight", torch.full((2, 3), float(i))) for i in (1, 2))
OPTIMIZER = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()
BESIDE = {"optimizer": OPTIMIZER, "epoch": 3, "best_acc1": torch.tensor(76.0), "scaler": {"scale": 65536.0}}


def prefixed(prefix: str, state=STATE) -> dict:
    return {f"{prefix}{name}": value for name, value in state.items()}


WRAPPINGS = {
    "plain": STATE,
    **{name: {name: STATE, **BESIDE} for name in KNOWN},
    "twice": {"checkpoint": {"model": STATE, "epoch": 2}, **BESIDE},
    "three times": {"a": {"b": {"state_dict": STATE}}},
    "a name of its own": {"regressor": STATE, **BESIDE},
    "beside an average": {"model": STATE, "model_ema": prefixed("x.")},
    "with other entries": STATE | {"epoch": 3, "names": ["a"]},
    **{prefix: prefixed(prefix) for prefix in ("module.", "network.", "model.", "_orig_mod.", "net.")},
    "prefixes": prefixed("module._orig_mod.model."),
    "within": {name.replace(".", "._orig_mod."): value for name, value in STATE.items()},
    "sharded": prefixed("_fsdp_wrapped_module."),
    "wrapped and prefixed": {"state_dict": prefixed("model.module."), **BESIDE},
    "parameters": {name: torch.nn.Parameter(value) for name, value in STATE.items()},
    "half": {name: value.half() for name, value in STATE.items()},
    "bfloat16": {name: value.bfloat16() for name, value in STATE.items()},
    "double": {name: value.double() for name, value in STATE.items()},
    "options beside": {"model": STATE, "args": argparse.Namespace(lr=1, path=pathlib.PosixPath("x"))},
    "others beside": {"model": STATE, "log": Counter(a=1), "date": datetime.datetime(2020, 1, 1)},
    "numpy beside": {"model": STATE, "order": np.arange(3), "rate": np.float64(1e-4)},
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", WRAPPINGS)
def test_the_weights_are_found_in_any_wrapping(tmp_path, kind, zipped):
    torch.save(WRAPPINGS[kind], tmp_path / "weights.pt", _use_new_zipfile_serialization=zipped)
    found = extract_state_dict(unwrap(read_pytorch(tmp_path / "weights.pt"), "weights.pt"), "weights.pt")
    assert found.keys() == STATE.keys()
    for name, value in found.items():
        assert value.dtype == torch.float32 and not value.requires_grad
        torch.testing.assert_close(value, STATE[name], rtol=0, atol=0)


def test_what_is_left_out_is_said(capsys):
    extract_state_dict(unwrap({"model": STATE | {"version": 1}, **BESIDE}, "weights.pt"), "weights.pt")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("weights under 'model' are taken; left out: optimizer, epoch, best_acc1, scaler")
    assert lines[1].endswith("2 tensors are taken; left out: version")


def test_safetensors_are_read(tmp_path):
    safetensors.torch.save_file(prefixed("module."), tmp_path / "weights.safetensors")
    found = extract_state_dict(read_pytorch(tmp_path / "weights.safetensors"), "weights")
    assert found.keys() == STATE.keys()


CNET, LNET = prefixed("resnet."), prefixed("hg.")
PARTS = {
    "release": {"CNet": prefixed("module.", CNET), "LNet": LNET, "epoch": 3},
    "wrapped": {"model": {"CNet": CNET, "LNet": LNET}, **BESIDE},
    "parts wrapped": {"CNet": {"state_dict": CNET}, "LNet": {"model": prefixed("module.", LNET)}},
    "one module": prefixed("CNet.", CNET) | prefixed("LNet.", LNET),
    "one module, wrapped": {"state_dict": prefixed("module.", prefixed("CNet.", CNET) | prefixed("LNet.", LNET))},
}


@pytest.mark.parametrize("kind", PARTS)
def test_both_parts_of_a_decomr_are_found_in_any_wrapping(kind):
    found = PAIRS["decomr"].flatten(PARTS[kind], "decomr.pt")
    assert found.keys() == (prefixed("CNet.", CNET) | prefixed("LNet.", LNET)).keys()


WHOLE = resnet_pth.Bottleneck(8, 2)
REFUSED = {
    "several": ({"a": STATE, "b": STATE}, "holds weights under 'a' and 'b'. Save those that are meant alone"),
    "twice": (STATE | prefixed("module."), "holds some weights twice"),
    "complex": ({"a": torch.ones(2, dtype=torch.complex64)}, "weights.pt: a is quantised, complex, sparse"),
    "sparse": ({"a": torch.eye(2).to_sparse()}, "a is quantised, complex, sparse"),
    "NaN": ({"a": torch.tensor([1, np.nan])}, "weights.pt: a holds NaN or infinity"),
    "no tensors": ({"epoch": 3, 1: 2}, "'epoch' is a int"),
    "a container beside": ({"model": STATE, "x": defaultdict(int, a=1)}, "holds a collections.defaultdict beside its"),
    "empty": ({"state_dict": {}}, "'state_dict' is a dict"),
    "a whole model": (WHOLE, r"is a whole pickled model \(\S+Bottleneck\), and to read that is to run its code. Where"),
    "a model beside": ({"epoch": 1, "model": WHOLE}, r"holds a \S+Bottleneck beside its weights.*model.state_dict\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_is_one_line(tmp_path, kind, zipped):
    content, line = REFUSED[kind]
    path = tmp_path / "weights.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=line) as caught:
        extract_state_dict(unwrap(read_pytorch(path), "weights.pt"), "weights.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", [STATE, WHOLE])
def test_a_newer_pickle_protocol_is_named(tmp_path, content):
    torch.save(content, tmp_path / "weights.pt", pickle_protocol=4)
    with pytest.raises(
        UserError, match=r"is in a pickle protocol that PyTorch does not read without running code. Where"
    ):
        read_pytorch(tmp_path / "weights.pt")


class RunsCode:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (pathlib.Path.touch, (self.place,))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_file_is_not_run(tmp_path, protocol):
    torch.save({"model": STATE, "x": RunsCode(tmp_path / "ran")}, tmp_path / "weights.pt", pickle_protocol=protocol)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(RunsCode(tmp_path / "ran"), protocol))
    for name in ("weights.pt", "bare.pt"):
        with pytest.raises(UserError):
            read_pytorch(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def resnet_shapes(blocks, bottleneck=True, middle=64, within=64) -> dict:
    names = [f"layer{layer}.{block}" for layer, count in enumerate(blocks, 1) for block in range(count)]
    shapes = {f"{name}.conv2.weight": (middle, within, 3, 3) for name in names}
    return shapes | ({f"{name}.conv3.weight": (256, middle, 1, 1) for name in names} if bottleneck else {})


NETWORKS = {
    "ResNet-18": resnet_shapes((2, 2, 2, 2), bottleneck=False),
    "ResNet-34": resnet_shapes((3, 4, 6, 3), bottleneck=False),
    "ResNet-50": resnet_shapes((3, 4, 6, 3)),
    "ResNet-101": resnet_shapes((3, 4, 23, 3)),
    "ResNet-152": resnet_shapes((3, 8, 36, 3)),
    "Wide ResNet-50": resnet_shapes((3, 4, 6, 3), middle=128, within=128),
    "ResNeXt-50": resnet_shapes((3, 4, 6, 3), middle=128, within=4),
    "VGG-19": {f"features.{i}.weight": (64, 64, 3, 3) for i in range(16)} | {"classifier.0.weight": (9, 9)},
    "VGG-16": {name: tuple(value.shape) for name, value in vgg_pth.VGG16(True).state_dict().items()},
    "DecoMR": {"CNet.resnet.conv1.weight": (64, 3, 7, 7)},
    None: {"blocks.0.weight": (3,)},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_torchvision_are_told_apart(name):
    assert identify_network(NETWORKS[name]) == name


@pytest.mark.parametrize("model", ["resnet", "vgg"])
def test_another_network_is_refused_with_what_is_expected(model):
    expected = {"resnet": "ResNet-50", "vgg": "VGG-16"}[model]
    with pytest.raises(UserError, match=rf"x.pth holds a ResNet-101, expected a {expected}\."):
        PAIRS[model].check_network(NETWORKS["ResNet-101"], "x.pth")
    with pytest.raises(UserError, match=rf"holds a DecoMR, expected a {expected}. Give 'decomr' as MODEL_NAME"):
        PAIRS[model].flatten(PARTS["release"], "x.pth")
    PAIRS[model].check_network(NETWORKS[expected], "x.pth")
    with pytest.raises(UserError, match=r"no CNet and no LNet. It holds a ResNet-101"):
        shaped = {name: torch.empty(shape) for name, shape in NETWORKS["ResNet-101"].items()}
        PAIRS["decomr"].flatten({name: torch.zeros_like(value) for name, value in shaped.items()}, "x.pth")
