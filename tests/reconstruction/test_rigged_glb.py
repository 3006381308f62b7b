"""Rigged .glb files: read back by the specification, they give the fitted body; the Khronos validator accepts them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reconstruction.mesh_files import Texture
from reconstruction.rigged_glb import smooth_quaternions, strongest_weights, write_rigged
from tests.conftest import REPOSITORY
from tests.helpers.gltf_reader import read_glb
from tests.helpers.soft_body import soft_body
from tests.helpers.soft_people import front_and_back
from utils.body_model import BodyModel
from utils.camera import upright
from utils.joints import PARENTS, SMPL_JOINTS
from utils.objfile import ObjMesh
from utils.rotations import rotation_matrices

VALIDATOR = REPOSITORY / ".cache/node"  # what `npm install --prefix .cache/node gltf-validator` fills
CHECK = """
const validator = require("gltf-validator"), fs = require("fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1]))).then(
    (report) => console.log(JSON.stringify(report.issues)));
"""


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return soft_body()


@pytest.fixture(scope="module")
def atlas() -> ObjMesh:
    return front_and_back()


def draw_motion(frames: int):
    rng = np.random.default_rng(frames)
    return rng.normal(size=10), 0.4 * rng.normal(size=(frames, 24, 3)), rng.normal(size=(frames, 3))


def skin(model: BodyModel, betas, pose, translation) -> np.ndarray:
    """Four-weight skinning without pose blend shapes by its definition, in float64, y up: [V, 3]."""
    rest = model.v_template + model.shapedirs @ betas
    joints = model.joint_regressor @ rest
    matrices: list = []
    for joint, turn in enumerate(rotation_matrices(pose)):
        local = np.eye(4)
        local[:3, :3] = turn
        local[:3, 3] = joints[joint] - turn @ joints[joint]
        matrices.append(local if joint == 0 else matrices[PARENTS[joint]] @ local)
    vertices = np.empty_like(rest)
    for vertex, place in enumerate(rest):
        chosen = np.argsort(-model.weights[vertex], kind="stable")[:4]  # of equal weights the first joints
        share = model.weights[vertex][chosen] / model.weights[vertex][chosen].sum()
        vertices[vertex] = sum(w * (matrices[k] @ [*place, 1])[:3] for w, k in zip(share, chosen, strict=True))
    return upright(vertices + translation)


def test_a_still_read_by_the_specification_is_the_fitted_body(model, tmp_path):
    betas, pose, translation = draw_motion(1)
    write_rigged(tmp_path / "a_rigged.glb", model, betas, pose, translation)
    glb = read_glb(tmp_path / "a_rigged.glb")
    np.testing.assert_allclose(glb.skinned(), skin(model, betas, pose[0], translation[0]), atol=1e-5)
    np.testing.assert_array_equal(glb.faces, model.faces)
    assert glb.joint_names == list(SMPL_JOINTS)
    assert "animations" not in glb.document


def test_at_rest_the_body_stands_upright_and_faces_the_viewer(model, tmp_path):
    betas = np.random.default_rng(0).normal(size=10)
    pose = np.zeros((1, 24, 3))
    pose[0, 0] = np.pi, 0, 0  # upright before the camera
    write_rigged(tmp_path / "a_rigged.glb", model, betas, pose, np.zeros((1, 3)))
    glb = read_glb(tmp_path / "a_rigged.glb")
    rest = model.v_template + model.shapedirs @ betas
    np.testing.assert_allclose(glb.attribute("POSITION"), rest, atol=1e-6)
    pelvis = model.joint_regressor[0] @ rest
    np.testing.assert_allclose(glb.skinned(), rest - pelvis + pelvis * (1, -1, -1), atol=1e-5)
    triangles = glb.attribute("POSITION").astype(float)[glb.faces]
    assert np.einsum("fc,fc->", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) > 0  # they face outwards


def test_a_motion_has_every_frame_at_its_time(model, tmp_path):
    betas, pose, translation = draw_motion(5)
    write_rigged(tmp_path / "a.glb", model, betas, pose, translation, frame_rate=12.5)
    glb = read_glb(tmp_path / "a.glb")
    np.testing.assert_allclose(glb.frame_times(), np.arange(5) * 0.08, atol=1e-6)
    for frame in range(5):
        expected = skin(model, betas, pose[frame], translation[frame])
        np.testing.assert_allclose(glb.skinned(frame), expected, atol=1e-5)
    np.testing.assert_allclose(glb.skinned(), glb.skinned(0), atol=1e-5)


def test_a_motion_needs_a_frame_rate(model, tmp_path):
    with pytest.raises(ValueError, match="frame rate"):
        write_rigged(tmp_path / "a.glb", model, *draw_motion(2))
    assert not list(tmp_path.iterdir())


def test_rotations_between_frames_take_the_short_way():
    """A turn of 350 degrees in small steps: neighbouring quaternions are near, although each has two signs."""
    turns = np.zeros((36, 24, 3))
    turns[:, :, 1] = np.radians(10 * np.arange(36))[:, None]
    quaternions = smooth_quaternions(rotation_matrices(turns))
    steps = (quaternions[1:] * quaternions[:-1]).sum(-1)
    np.testing.assert_allclose(steps, np.cos(np.radians(5)), atol=1e-9)


def test_a_texture_is_looked_up_at_each_corner_s_place_in_the_atlas(model, atlas, tmp_path):
    size = 64
    rows, columns = np.indices((size, size))
    colours = np.stack([4 * columns, 4 * rows, 0 * rows], -1).astype(np.uint8)  # u, v of each texel
    write_rigged(tmp_path / "a.glb", model, *draw_motion(1), texture=Texture.of(atlas, colours))
    glb = read_glb(tmp_path / "a.glb")
    u, v = glb.attribute("TEXCOORD_0").T  # v from the upper edge, as glTF has it
    pixels = glb.texture[np.floor(v * size).astype(int), np.floor(u * size).astype(int)]
    found = pixels[:, :2][glb.faces] / 4 / (size - 1)
    assert np.abs(found - atlas.face_uv()).max() < 1 / size
    assert len(u) > len(model.v_template)  # the seam
    np.testing.assert_allclose(glb.skinned()[glb.faces], skin(model, *(part[0] if part.ndim > 1 else part for part in
                               draw_motion(1)))[model.faces], atol=1e-5)  # fmt: skip


def test_the_four_largest_weights_share_what_the_others_had():
    weights = np.zeros((3, 24))
    weights[0, [3, 5, 7, 9, 11]] = 0.3, 0.25, 0.2, 0.15, 0.1
    weights[1, 20] = 1
    weights[2, [1, 2]] = 1 / 3, 2 / 3
    joints, shares = strongest_weights(weights)
    assert joints.tolist() == [[3, 5, 7, 9], [20, 0, 0, 0], [2, 1, 0, 0]]
    np.testing.assert_allclose(shares[0], np.array([0.3, 0.25, 0.2, 0.15]) / 0.9, atol=1e-6)
    np.testing.assert_allclose(shares[1:], [[1, 0, 0, 0], [2 / 3, 1 / 3, 0, 0]], atol=1e-6)
    assert (shares.sum(1) == 1).all()


def validate(path: Path) -> dict:
    """The issues that the Khronos validator finds."""
    environment = os.environ | {"NODE_PATH": str(VALIDATOR / "node_modules")}
    result = subprocess.run(["node", "-e", CHECK, path], env=environment, capture_output=True, text=True, timeout=60)
    assert not result.returncode, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(
    not shutil.which("node") or not (VALIDATOR / "node_modules/gltf-validator").is_dir(),
    reason="the Khronos validator is not installed: see CONTRIBUTING.md",
)
def test_the_khronos_validator_finds_no_error_and_no_warning(model, atlas, tmp_path):
    texture = Texture.of(atlas, np.full((16, 16, 3), 99, np.uint8))
    for frames, rate, dress in ((1, None, None), (1, None, texture), (3, 30.0, texture)):
        path = tmp_path / "a.glb"
        write_rigged(path, model, *draw_motion(frames), rate, dress)
        issues = validate(path)
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    path.write_bytes(path.read_bytes().replace(b'"skin":0', b'"skin":7'))
    assert validate(path)["numErrors"]
