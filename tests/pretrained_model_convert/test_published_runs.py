"""A published checkpoint of PyTorch, converted, runs in demo.py, eval.py and export.py without further words."""

import json
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import utils.environment  # noqa: F401  before MindSpore
from tests.helpers.forked_commands import REPOSITORY, run_commands
from tests.helpers.parity import randomise
from tests.reference import networks

pytestmark = pytest.mark.slow

# the architecture, and where the release's config.json lies: none, beside the file, one folder up
VARIANTS = {
    "as released": ({"uv_channels": 64, "lnet_width": 0.25}, "run/checkpoints"),
    "wide map, BatchNorm": (
        {"uv_res": 256, "warp_level": 3, "norm_type": "BN", "lnet_width": 0.125, "cnet_width": 0.25},
        "run",
    ),
    "without config.json": ({"uv_channels": 256, "lnet_width": 0.25, "warp_level": 1}, None),
}


def write_release(folder: Path, architecture: dict, config_folder: str | None) -> Path:
    """A checkpoint of the release's layout with random weights; its path."""
    described = {
        "warp_level": 2,
        "uv_res": 128,
        "uv_channels": 128,
        "norm_type": "GN",
        "lnet_width": 1.0,
        "cnet_width": 1.0,
    } | architecture
    size = 256 >> described["warp_level"]
    names = ("uv_res", "uv_channels", "warp_level", "norm_type", "lnet_width", "cnet_width")
    lnet = networks.LNet(np.zeros((1, size, size, 3), np.float32), *(described[name] for name in names))
    cnet = networks.CNet(described["warp_level"], described["norm_type"], described["cnet_width"])
    path = folder / "run/checkpoints/2020_01_01.pt"
    path.parent.mkdir(parents=True)
    with torch.no_grad():
        randomise(lnet, 2).uv_end[1].weight *= 0.1  # meshes of metres, as trained weights give
    states = {"CNet": randomise(cnet, 1).state_dict(), "LNet": lnet.state_dict()}
    torch.save(states | {"optimizer": {"state": {}}, "epoch": 30}, path)
    if config_folder:
        texts = {name: str(value) for name, value in architecture.items()}
        content = texts | {"uv_type": "BF", "img_res": "64", "gpu_ids": [0], "smpl": None}
        (folder / config_folder / "config.json").write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory) -> Path:
    """A folder with the converted checkpoint in it."""
    folder = tmp_path_factory.mktemp("published")
    architecture, config_folder = VARIANTS[request.param]
    source = write_release(folder, architecture, config_folder)
    words = [] if config_folder else ["--img_res", "64"]
    command = ["bash", REPOSITORY / "scripts/convert_model.sh", "decomr", source, folder / "out/dmr_30.ckpt", *words]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert ("taken as uv_type BF" in finished.stdout) == (not config_folder)
    return folder


def test_the_converted_checkpoint_runs_without_further_words(folder, generated_root):
    cv2.imwrite(str(folder / "a.png"), np.random.default_rng(0).integers(0, 255, (80, 60, 3)).astype(np.uint8))
    words = {
        "demo": ["--img", f"{folder}/a.png", "--out", f"{folder}/demo"],
        "eval": ["--save_root", f"{folder}/eval", "--batch_size", "2", "--num_workers", "1", "--mode", "pynative"],
        "export": ["--file_format", "ONNX", "--out", f"{folder}/network.onnx"],
    }
    common = ["--checkpoint", f"{folder}/out", "--device_target", "CPU"]
    commands = [
        {"script": name, "arguments": [*common, *own], "data_dir": str(generated_root)} for name, own in words.items()
    ]
    for name, result in zip(words, run_commands(commands), strict=True):
        assert result["code"] == 0, f"{name}: {result['stderr']}"
        assert re.search(r"written: ", result["stdout"])
    assert (folder / "demo/a.glb").is_file() and (folder / "network.onnx").is_file()
