"""What is written for each person: numbers that agree with each other, textured and rigged files, pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from reconstruction.body_fits import BodyFits
from reconstruction.outputs import ResultWriter
from reconstruction.texture import TextureMaker
from tests.helpers.gltf_reader import read_glb
from tests.helpers.soft_body import soft_body
from tests.helpers.soft_people import HEIGHT, WIDTH, draw_person, draw_photo, front_and_back
from utils.body_model import pose_joints, pose_vertices
from utils.camera import upright
from utils.errors import UserError

MESH = {".obj", ".ply", ".glb", ".npz", "_iuv.png", "_side.png", "_back.png", "_overlay.png"}
BODY = {"_rigged.glb", "_fitted_side.png", "_fitted_back.png", "_fitted_overlay.png"}
TEXTURED = {"_texture.png", "_textured.glb", "_textured.obj", "_textured.mtl"}


@pytest.fixture(scope="module")
def fits() -> BodyFits:
    return BodyFits(soft_body(), front_and_back())


@pytest.fixture(scope="module")
def written(fits, tmp_path_factory):
    """A person of a photograph, and the folder with all files of theirs."""
    folder = tmp_path_factory.mktemp("one")
    person = draw_person(np.random.default_rng(1), fits)
    atlas = front_and_back()
    ResultWriter(folder, atlas, soft_body(), TextureMaker(atlas, 64))(draw_photo(), [person])
    with np.load(folder / "a.npz") as content:
        return person, folder, dict(content)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_person_has_every_file(written):
    _, folder, _ = written
    assert names(folder) == {f"a{end}" for end in MESH | BODY | TEXTURED}


def test_the_parameters_in_the_npz_make_the_body_of_the_rigged_file(written):
    person, folder, numbers = written
    own = pose_vertices(soft_body(), numbers["pose"], numbers["betas"]) + numbers["translation"]
    np.testing.assert_allclose(own, person.body.vertices, atol=1e-5)
    joints = pose_joints(soft_body(), numbers["pose"], numbers["betas"]) + numbers["translation"]
    np.testing.assert_allclose(numbers["joints"], joints, atol=1e-5)
    assert np.linalg.norm(own - numbers["vertices"], axis=1).mean() < 0.012  # the noise of the mesh
    glb = read_glb(folder / "a_rigged.glb")
    # a vertex has several places in the file; they are compared by triangles. Pose blend shapes are 4 mm here
    distance = np.linalg.norm(glb.skinned()[glb.faces] - upright(own)[soft_body().faces], axis=-1)
    assert distance.mean() < 0.01


def test_the_perspective_camera_sees_the_pelvis_plane_where_the_weak_one_does(written):
    _, _, numbers = written
    focal, shift = numbers["focal_length"], numbers["camera_translation"].astype(float)
    assert focal == pytest.approx(np.hypot(HEIGHT, WIDTH), rel=1e-6)
    scale, *offset = numbers["image_camera"].astype(float)
    plane = np.random.default_rng(0).normal(size=(5, 3))
    plane[:, 2] = numbers["joints"][0, 2]
    seen = focal * (plane + shift)[:, :2] / (plane + shift)[:, 2:] + (WIDTH / 2, HEIGHT / 2)
    weak = (scale * (plane[:, :2] + offset) * WIDTH + (WIDTH, HEIGHT)) / 2
    np.testing.assert_allclose(seen, weak, atol=1e-3)
    assert shift[2] + plane[0, 2] > 0


def test_a_given_focal_length_moves_the_camera_back_in_proportion(fits, written, tmp_path):
    person, _, numbers = written
    ResultWriter(tmp_path, front_and_back(), soft_body(), focal=1000.0)(draw_photo(), [person])
    with np.load(tmp_path / "a.npz") as other:
        assert other["focal_length"] == 1000
        depths = [each["camera_translation"][2] + each["joints"][0, 2] for each in (numbers, other)]
        assert depths[1] / depths[0] == pytest.approx(1000 / numbers["focal_length"], rel=1e-5)


def test_the_textured_obj_has_the_picture_and_the_colours_of_the_glb(written):
    _, folder, _ = written
    obj, glb = (trimesh.load(folder / f"a_textured.{kind}", force="mesh") for kind in ("obj", "glb"))
    pictures = [
        np.asarray(mesh.visual.to_color().vertex_colors)[mesh.faces][..., :3].astype(int) for mesh in (obj, glb)
    ]
    assert np.ptp(pictures[0], axis=(0, 1)).max() > 100
    np.testing.assert_allclose(obj.vertices[obj.faces], glb.vertices[glb.faces], atol=1e-6)
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert (folder / "a_textured.obj").read_text().startswith("mtllib a_textured.mtl\nusemtl body\n")
    assert "map_Kd a_texture.png\n" in (folder / "a_textured.mtl").read_text()
    assert len(np.unique(obj.vertices, axis=0)) == len(soft_body().v_template)


def test_without_a_body_model_only_its_files_are_missing(tmp_path):
    person = draw_person(np.random.default_rng(1), None)
    ResultWriter(tmp_path, front_and_back())(draw_photo(), [person])
    assert names(tmp_path) == {f"a{end}" for end in MESH}
    with np.load(tmp_path / "a.npz") as content:
        assert "pose" not in content and "focal_length" not in content


def test_of_several_people_those_without_a_body_are_left_out_of_the_fitted_pictures(fits, tmp_path):
    rng = np.random.default_rng(2)
    people = [draw_person(rng, fits), draw_person(rng, None), draw_person(rng, fits)]
    people[1] = type(people[1])(**(vars(people[1]) | {"body": UserError("no")}))
    ResultWriter(tmp_path, front_and_back(), soft_body())(draw_photo(), people)
    expected = {f"a_person{k}{end}" for k in range(3) for end in MESH}
    expected |= {f"a_person{k}{end}" for k in (0, 2) for end in BODY} | {"a_overlay.png", "a_fitted_overlay.png"}
    assert names(tmp_path) == expected
    everyone, first = (cv2.imread(str(tmp_path / f"a{name}_fitted_overlay.png")) for name in ("", "_person0"))
    changed = [np.abs(picture.astype(int) - draw_photo().image).max(-1) > 20 for picture in (everyone, first)]
    assert changed[1].sum() > 50 and changed[0].sum() >= changed[1].sum()
