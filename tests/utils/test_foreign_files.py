"""Files of other kinds in place of a checkpoint: each is named, with what to do, by its content alone."""

import utils.environment  # noqa: F401, I001  before MindSpore

import gzip
import io
import pickle
import tarfile

import mindspore as ms
import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from mindspore import nn
from onnx import helper

from pretrained_model_convert import resnet_pth
from utils.checkpoints import checkpoint, foreign_files
from utils import config
from utils.errors import UserError
from utils.files import write_npz

NETWORK = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1))
TO_DECOMR = r"Convert it: bash scripts/convert_model.sh decomr \S+/given\S* \S+/given(_mindspore)?\.ckpt\."


def write_tar(path) -> None:
    """What PyTorch wrote before 2017."""
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            content = pickle.dumps(name)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_onnx(path) -> None:
    onnx.save(helper.make_model(helper.make_graph([], "empty", [], []), ir_version=8), str(path))


def write_mindir(path) -> None:
    target = path.with_suffix(".mindir")
    ms.export(nn.Dense(2, 3), ms.Tensor(np.zeros((1, 2), np.float32)), file_name=str(target), file_format="MINDIR")
    target.rename(path)


# what is written, and what is said about it
KINDS = {
    "state_dict": (lambda path: torch.save(NETWORK.state_dict(), path), rf"is a PyTorch file, .*{TO_DECOMR}"),
    "legacy": (
        lambda path: torch.save(NETWORK.state_dict(), path, _use_new_zipfile_serialization=False),
        rf"is a PyTorch file of before 2020, .*{TO_DECOMR}",
    ),
    "whole model": (lambda path: torch.save(NETWORK, path), rf"is a PyTorch file, .*{TO_DECOMR}"),
    "tar": (write_tar, r"is a PyTorch file of before 2017.*weights_only=False"),
    "TorchScript": (lambda path: torch.jit.script(NETWORK).save(str(path)), r"is a TorchScript archive.*jit.load"),
    "safetensors": (
        lambda path: safetensors.torch.save_file(NETWORK.state_dict(), path),
        rf"is a file of safetensors.*{TO_DECOMR}",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), rf"is a pickle, .*{TO_DECOMR}"),
    "ONNX": (write_onnx, r"is a network exported as ONNX.*Give the dmr_"),
    "MINDIR": (write_mindir, r"is a network exported as MINDIR.*Give the dmr_"),
    "npz": (lambda path: write_npz(path, a=np.zeros(3)), r"is an \.npz of arrays"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(60)), r"is an HDF5 file"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"weights")), r"is a packed archive.*Unpack it first"),
    "Git LFS": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        r"is the pointer of Git LFS.*git lfs pull",
    ),
    "web page": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), r"is a web page.*Download it again"),
    "folder": (lambda path: path.mkdir(), r"is a folder, expected a checkpoint"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", ["given.pth", "given.ckpt"])  # Lightning's PyTorch files end in .ckpt
@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_of_file_is_named_with_what_to_do(tmp_path, kind, name):
    write, line = KINDS[kind]
    write(tmp_path / name)
    with pytest.raises(UserError, match=line) as caught:
        checkpoint.read_checkpoint(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_an_encoder_of_imagenet_is_sent_where_training_looks_for_it(tmp_path, zipped):
    path = tmp_path / "resnet 50.pth"
    torch.save(resnet_pth.ResNet50().state_dict(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=rf"convert_model.sh resnet '\S+resnet 50.pth' {config.RESNET_CKPT} \(training"):
        checkpoint.read_checkpoint(path)


def test_a_mindspore_checkpoint_is_nothing_foreign(tmp_path):
    checkpoint.save_weights(nn.Dense(2, 3), tmp_path / "dmr_1.ckpt")
    assert foreign_files.kind_of(tmp_path / "dmr_1.ckpt") is None


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["weight", checkpoint.STATE_RECORD], r"is a saved state, from which train.py --resume goes on"),
        (["conv1.weight", "layer1.0.conv1.weight"], r"holds a ResNet-50 alone. Put it at \S+ms_resnet50.ckpt"),
    ],
)
@pytest.mark.parametrize("load", [checkpoint.load_dmr, checkpoint.load_cnet])
def test_weights_of_something_else_are_named(tmp_path, names, line, load):
    entries = {name: ms.Parameter(np.zeros(3, np.float32)) for name in names if name != checkpoint.STATE_RECORD}
    texts = {name: "{}" for name in names if name == checkpoint.STATE_RECORD}
    checkpoint.write_parameters(entries, tmp_path / "given.ckpt", texts)
    with pytest.raises(UserError, match=line):
        load(nn.Dense(2, 3), tmp_path / "given.ckpt")
