"""demo.py as a command: bad inputs are reported in one line each, the others become pictures and meshes."""

import base64
import json
import re
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
import pytest
import trimesh

import utils.environment  # noqa: F401  before MindSpore
from atlas import trained_on
from tests.helpers.forked_commands import run_commands
from tests.helpers.small_network import random_network
from tests.helpers.yolo_files import write_people
from tests.program.test_command_lines import linked_copy
from utils import config
from utils.checkpoints import checkpoint

pytestmark = pytest.mark.slow

SMALL = ["--img_res", "64", "--lnet_width", "0.125", "--uv_res", "256", "--warp_level", "3"]
SIZE = (100, 140)  # height, width
KINDS = ("_overlay.png", "_side.png", "_back.png", "_iuv.png", ".obj", ".ply", ".glb", ".npz",
         "_rigged.glb", "_fitted_side.png", "_fitted_back.png", "_fitted_overlay.png",
         "_texture.png", "_textured.glb", "_textured.obj", "_textured.mtl", "_turntable.gif")  # fmt: skip


@pytest.fixture(scope="module")
def folder(generated_root, tmp_path_factory) -> Path:
    """Checkpoints of a small network of an uncommon shape, and inputs of every kind."""
    folder = tmp_path_factory.mktemp("demo")
    options, dmr = random_network(generated_root, *SMALL)
    checkpoint.save_weights(dmr, folder / "ckpt" / "dmr_1.ckpt")
    checkpoint.save_config(options, folder / "ckpt")
    dmr.CNet.dp_mask_end[1].bias.set_data(ms.Tensor([-50.0], ms.float32))  # a CNet that sees nobody
    checkpoint.save_weights(dmr, folder / "blind" / "dmr_1.ckpt")
    people = {trained_on.PEOPLE: {"file": config.GENERATED_MARKER, "sha256": "0" * 64}}
    checkpoint.save_config(options, folder / "blind", people)
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
    # the photographs fill rows 20 to 120 of the detector's input
    write_people(folder / "yolo.onnx", [(10, 30, 60, 110, 0.9, 0), (70, 40, 120, 90, 0.6, 0)], size=(140, 140))
    video = cv2.VideoWriter(str(folder / "walk.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, SIZE[::-1])
    (folder / "openpose").mkdir()
    for number in range(5):
        video.write(np.full((*SIZE, 3), 50 * number, np.uint8))
        people = [{"pose_keypoints_2d": [10, 10, 0.9, 20 + number, 60, 0.9]}] if number != 2 else []
        (folder / f"openpose/walk_{number:012d}_keypoints.json").write_text(json.dumps({"people": people}))
    video.release()
    return folder


@pytest.fixture(scope="module")
def results(folder, generated_root) -> dict:
    known = ["--checkpoint", f"{folder}/ckpt/dmr_1.ckpt", "--out", f"{folder}/out", "--device_target", "CPU"]
    words = {
        "mixed": [*known, "--img", f"{folder}/photos", f"{folder}/empty", "--bbox", f"{folder}/boxes", "--batch_size",
                  "2", "--texture", "--turntable", "--report", f"{folder}/pages/mixed.html"],
        "one": [*known, "--img", f"{folder}/photos/b.jpg"],
        "video": [*known, "--img", f"{folder}/walk.mp4", "--every", "2", "--openpose", f"{folder}/openpose",
                  "--keep_frames", "--report", f"{folder}/pages/video.html"],
        "detected": [*known, "--img", f"{folder}/photos/a.png", f"{folder}/walk.mp4", "--every", "3", "--detector",
                     f"{folder}/yolo.onnx", "--min_score", "0.7", "--keep_frames", "--out", f"{folder}/detected"],
        "no detector": [*known, "--img", f"{folder}/photos/a.png", "--detector", f"{folder}/photos/c.png"],
        "blind": ["--checkpoint", f"{folder}/blind/dmr_1.ckpt", *known[2:], "--img", f"{folder}/photos/b.jpg", "--bbox",
                  "10,10,60,80", "-10,-10,60,80", "--out", f"{folder}/blind"],
    }  # fmt: skip
    commands = [{"script": "demo", "arguments": line, "data_dir": str(generated_root)} for line in words.values()]
    bare = linked_copy(generated_root, folder / "data")
    (bare / config.SMPL_FILE.name).unlink()
    words["bare"] = [*known[:2], "--img", f"{folder}/photos/b.jpg", "--out", f"{folder}/bare", "--device_target", "CPU"]
    commands.append({"script": "demo", "arguments": words["bare"], "data_dir": str(bare)})
    return dict(zip(words, run_commands(commands), strict=True))


def test_without_the_body_model_one_line_says_so_and_the_mesh_is_written(results, folder):
    assert results["bare"]["code"] == 0, results["bare"]["stderr"]
    (line,) = re.findall(r"demo\.py: warning: (people get no pose.*)", results["bare"]["stderr"])
    assert line.endswith("does not exist. Put the SMPL model there; see data/README.md.")
    found = {path.name for path in (folder / "bare").iterdir()}
    assert "b.obj" in found and not any("rigged" in name or "fitted" in name for name in found)


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
    assert results["one"]["stderr"].count("the whole picture is taken for one person; --bbox") == 1
    assert all((folder / "out" / f"b{kind}").is_file() for kind in KINDS[:12])
    assert not (folder / "out/b_texture.png").exists()
    with np.load(folder / "out/b.npz") as content:
        assert content["location_map"].shape == (256, 256, 3)
        assert content["iuv"].shape == (3, 8, 8)
        assert content["box"].tolist() == [0, -20, 140, 140]
        assert content["pose"].shape == content["joints"].shape == (24, 3) and content["betas"].shape == (10,)
        assert content["focal_length"] == pytest.approx(np.hypot(*SIZE))
        assert content["mask_share"] == np.float32((content["iuv"][0] > 0.5).mean())
        assert ("warning: b:" in results["one"]["stderr"]) == (content["mask_share"] < 0.01)
        mesh = trimesh.load(folder / "out/b.ply")
        np.testing.assert_allclose(mesh.vertices, content["vertices"] * (1, -1, -1), atol=1e-6)
        # the camera of the whole picture puts a point where the camera of the crop does
        crop_x = content["camera"][0] * (content["vertices"][:, 0] + content["camera"][1])
        image_x = content["image_camera"][0] * (content["vertices"][:, 0] + content["image_camera"][1])
        np.testing.assert_allclose(image_x, crop_x, atol=1e-5)


def test_frames_of_a_video_find_openpose_s_files_and_one_without_people_is_no_error(results, folder):
    assert results["video"]["code"] == 0, results["video"]["stderr"]
    assert "nobody in 1 of 3 frames of walk.mp4" in results["video"]["stderr"]
    assert "written: 1 people" in results["video"]["stdout"]  # one, who is seen twice
    for number, width in ((0, 10), (4, 14)):
        with np.load(folder / f"out/walk_{number:06d}.npz") as content:
            np.testing.assert_allclose(content["box"], [10 + width / 2 - 30, 5, 60, 60], atol=1e-4)


def test_people_found_by_a_detector_get_their_files(results, folder):
    assert results["detected"]["code"] == 0, results["detected"]["stderr"]
    assert "written: 2 people" in results["detected"]["stdout"]  # one of them is seen in two frames
    for name in ("a", "walk_000000", "walk_000003"):
        with np.load(folder / f"detected/{name}.npz") as content:
            np.testing.assert_allclose(content["box"], [35 - 48, 50 - 48, 96, 96], atol=1e-3)


def test_a_detector_that_cannot_be_read_ends_the_run_before_it_begins(results):
    assert results["no detector"]["code"] == 2
    lines = results["no detector"]["stderr"].strip().splitlines()
    assert re.search(r"demo\.py: error: \S*c\.png is no ONNX file, or is damaged", lines[-1])
    assert "Traceback" not in results["no detector"]["stderr"]


def test_a_video_s_frames_are_written_with_their_people_at_the_same_pace(results, folder):
    assert results["video"]["code"] == 0
    video = cv2.VideoCapture(str(folder / "out/walk_overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == 5  # every second of ten frames a second
    frames = [video.read()[1] for _ in range(3)]
    assert not video.read()[0]
    for number, frame in enumerate(frames):
        assert frame.shape == (*SIZE, 3)
        assert np.median(frame) == pytest.approx(100 * number, abs=6)


def test_the_motion_of_a_video_s_person_is_written_for_all_frames(results, folder):
    """Seen in frames 0 and 4 of 10 a second; the three between are filled in."""
    with np.load(folder / "out/walk_person0.npz") as content:
        assert content["poses"].shape == (5, 72) and content["mocap_frame_rate"] == 10
        assert np.isfinite(content["trans"]).all()
    assert (folder / "out/walk_person0.bvh").read_text().count("Frames: 5") == 1
    glb = trimesh.load(folder / "out/walk_person0.glb", force="mesh")
    assert len(glb.vertices)


def test_the_report_has_the_people_of_photographs_and_the_motions_of_videos(results, folder):
    """Frames of a video that are kept are no photographs of the page."""
    assert sorted(path.name for path in (folder / "pages").iterdir()) == ["mixed.html", "video.html"]
    for name in ("mixed", "video"):
        assert f"written: {folder}/pages/{name}.html" in results[name]["stdout"]
    ((name, scene),) = scenes_of(folder / "pages/mixed.html").items()
    assert name == "a"
    for kind in ("predicted mesh", "fitted body"):
        assert [mesh["name"] for mesh in scene["variants"][kind]] == ["person0", "person1"]
    ((name, scene),) = scenes_of(folder / "pages/video.html").items()
    (person,) = scene["variants"]["fitted body"]
    assert (name, scene["frame_rate"], person["first_frame"]) == ("walk", 10, 0)
    assert len(base64.b64decode(person["roots"])) == 5 * 12  # three float32 for each of 5 frames


def scenes_of(page: Path) -> dict:
    found = re.findall(r'class="scene" data-name="(.*?)">(.*?)</script>', page.read_text())
    return {name: json.loads(text) for name, text in found}


def test_weights_of_generated_people_are_told_as_such(results):
    line = "was trained on generated people only"
    assert results["blind"]["stderr"].count(line) == 1
    assert line not in results["one"]["stderr"]


def test_a_crop_in_which_the_network_sees_no_body_gets_a_warning_and_its_mesh(results, folder):
    assert results["blind"]["code"] == 0, results["blind"]["stderr"]
    warnings = re.findall(
        r"demo\.py: warning: (\S+): the network sees a body on 0 % of the crop", results["blind"]["stderr"]
    )
    assert warnings == ["b_person0", "b_person1"]
    for name in warnings:
        assert (folder / f"blind/{name}.obj").is_file()
        with np.load(folder / f"blind/{name}.npz") as content:
            assert content["mask_share"] == 0 and content["mask_share"].dtype == np.float32
