"""What MindSpore needs on this machine: the first thing that a GPU lacks is named."""

import utils.environment  # noqa: F401, I001  before MindSpore

import re

import pytest

from utils import device
from utils.errors import UserError


@pytest.mark.parametrize(
    ("present", "home", "message"),
    [
        (set(), "", "there is no NVIDIA driver"),
        ({"libcuda.so.1"}, "", r"no libcudart.so.11.0, .*pip install -r requirements-gpu.txt"),
        ({"libcuda.so.1", *device.CUDA_LIBRARIES}, "", "CUDA_HOME is not set"),
        (
            {"libcuda.so.1", *device.CUDA_LIBRARIES},
            "/nowhere",
            "CUDA_HOME=/nowhere has no bin/nvcc that says its release",
        ),
        (
            {"libcuda.so.1", *device.CUDA_LIBRARIES},
            "12.4",
            "has CUDA 12.4, MindSpore's GPU part needs CUDA 11.6 to 11.8",
        ),
        ({"libcuda.so.1", *device.CUDA_LIBRARIES}, "11.8", "does not start"),
    ],
)
def test_the_first_thing_that_a_gpu_lacks_is_named_in_one_line(monkeypatch, tmp_path, present, home, message):
    monkeypatch.setattr(device, "_loads", lambda name: name in present)
    monkeypatch.setattr(device.glob, "glob", lambda pattern: ["/dev/nvidia0"])
    if home[:1].isdigit():
        nvcc = tmp_path / "bin/nvcc"
        nvcc.parent.mkdir()
        nvcc.write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {home}, V{home}.1"\n')
        nvcc.chmod(0o755)
        home = str(tmp_path)
    monkeypatch.setenv("CUDA_HOME", home)
    monkeypatch.setattr(device.ms.hal, "is_available", lambda target: False)
    with pytest.raises(UserError, match=rf"^--device_target GPU: [^\n]*{message}[^\n]*use --device_target CPU\.$"):
        device.choose_target("GPU")
    target, reason = device.choose_target("auto")
    assert target == "CPU"
    assert re.search(rf"^a GPU is there, but [^\n]*{message}", reason)
