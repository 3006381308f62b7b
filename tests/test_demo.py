"""demo.py as a command: bad inputs are reported in one line each, the others become pictures and meshes."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

import utils.environment  # noqa: F401  before MindSpore
from tests.forked_commands import run_commands
from tests.small_network import random_network
from utils import checkpoint

pytestmark = pytest.mark.slow

SMALL = ["--img_res", "64", "--lnet_width", "0.125", "--uv_res", "256", "--warp_level", "3"]
SIZE = (100, 140)  # height, width
KINDS = ("_overlay.png", "_side.png", "_back.png", "_iuv.png", ".obj", ".ply", ".glb", ".npz",
         "_texture.png", "_textured.glb")  # fmt: skip


@pytest.fixture(scope="module")
def folder(generated_root, tmp_path_factory) -> Path:
    """Checkpoints of a small network of an uncommon shape, and inputs of every kind."""
    folder = tmp_path_factory.mktemp("demo")
    options, dmr = random_network(generated_root, *SMALL)
    checkpoint.save_weights(dmr, folder / "ckpt" / "dmr_1.ckpt")
    checkpoint.save_config(options, folder / "ckpt")
    photos = folder / "photos"
    photos.mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(photos / name), np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8))
    (photos / "c.png").write_text("not an image")
    (photos / "clip.mp4").write_bytes(b"no video" * 99)
    boxes = folder / "boxes"
    boxes.mkdir()
    (boxes / "a.json").write_text(json.dumps({"bbox": [[10, 10, 60, 80], [500, 0, 9, 9], [70, 20, 50, 60]]}))
    (boxes / "b.json").write_text(json.dumps({"people": []}))
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def results(folder, generated_root) -> dict:
    known = ["--checkpoint", f"{folder}/ckpt/dmr_1.ckpt", "--out", f"{folder}/out", "--device_target", "CPU"]
    words = {
        "mixed": [*known, "--img", f"{folder}/photos", f"{folder}/empty", "--bbox", f"{folder}/boxes", "--batch_size",
                  "2", "--texture"],
        "one": [*known, "--img", f"{folder}/photos/b.jpg"],
    }  # fmt: skip
    commands = [{"script": "demo", "arguments": line, "data_dir": str(generated_root)} for line in words.values()]
    return dict(zip(words, run_commands(commands), strict=True))


def test_bad_inputs_are_one_line_each_and_the_exit_code_is_1(results):
    assert results["mixed"]["code"] == 1, results["mixed"]["stderr"]
    lines = re.findall(r"demo\.py: error: (.*)", results["mixed"]["stderr"])
    expected = [
        r"a\.json: box 1 \(500, .*lies outside the image a of 140 x 100",
        r"b\.json has no boxes",
        r"c\.png cannot be decoded",
        r"clip\.mp4 cannot be decoded as a video",
        r"empty holds no images",
    ]
    assert len(lines) == len(expected)
    for line, text in zip(lines, expected, strict=True):
        assert re.search(text, line)
    assert "Traceback" not in results["mixed"]["stderr"]


def test_everyone_else_gets_every_file(results, folder):
    assert "written: 2 people" in results["mixed"]["stdout"]
    found = {path.name for path in (folder / "out").iterdir()}
    assert {f"a_person{k}{kind}" for k in (0, 1) for kind in KINDS} | {"a_overlay.png"} <= found
    overlay = cv2.imread(str(folder / "out/a_overlay.png"))
    assert overlay.shape == (*SIZE, 3)


def test_one_person_without_a_box_and_exit_code_0(results, folder):
    assert results["one"]["code"] == 0
    assert all((folder / "out" / f"b{kind}").is_file() for kind in KINDS[:8])
    assert not (folder / "out/b_texture.png").exists()
    with np.load(folder / "out/b.npz") as content:
        assert content["location_map"].shape == (256, 256, 3)
        assert content["iuv"].shape == (3, 8, 8)
        assert content["box"].tolist() == [0, -20, 140, 140]
        mesh = trimesh.load(folder / "out/b.ply")
        np.testing.assert_allclose(mesh.vertices, content["vertices"] * (1, -1, -1), atol=1e-6)
        # the camera of the whole picture puts a point where the camera of the crop does
        crop_x = content["camera"][0] * (content["vertices"][:, 0] + content["camera"][1])
        image_x = content["image_camera"][0] * (content["vertices"][:, 0] + content["image_camera"][1])
        np.testing.assert_allclose(image_x, crop_x, atol=1e-5)
