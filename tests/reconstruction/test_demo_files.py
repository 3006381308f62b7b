"""Meshes, textures and pictures of demo.py: right way up, in place, and read back by another library."""

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image, ImageSequence
from scipy.spatial import cKDTree

from datasets.preprocess.generate_gt_iuv import load_atlas_faces
from reconstruction.boxes import Square
from reconstruction.mesh_files import Texture, write_meshes, write_textured
from reconstruction.people import Person
from reconstruction.texture import UNSEEN, TextureMaker
from reconstruction.turntable import FILL, FRAMES, SECONDS, SIZE, draw_turntable, write_turntable
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.camera import from_image_units, project_weak, upright, weak_in_window
from utils.objfile import read_obj
from utils.pictures import MAX_SAMPLES, draw_mesh
from utils.rotations import rotation_matrices

STANDING = np.r_[np.pi, np.zeros(71)]  # upright before the camera


@pytest.fixture
def template(data_root):
    return read_obj(config.atlas_template("BF"))


@pytest.fixture
def standing(data_root):
    """Vertices [V, 3] in camera space, y down."""
    return pose_vertices(load_body_model(config.SMPL_FILE), STANDING, np.zeros(10))


def test_the_mask_share_counts_the_pixels_that_the_warp_takes():
    mask = np.array([[0.5, 0.51, 1.0, 0.0], [0.2, 0.9, 0.5, 0.49]], np.float32)
    iuv = np.stack([mask, np.ones_like(mask), np.ones_like(mask)])
    nothing = np.zeros(3)
    assert Person(Square(1, 1, 2), nothing, nothing, iuv, nothing, nothing).mask_share == 3 / 8


def head_vertex(standing) -> int:
    return int(standing[:, 1].argmin())


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_meshes_are_read_back_with_y_up_in_metres_and_facing_outwards(standing, template, tmp_path, suffix):
    write_meshes(tmp_path / "person", standing, template)
    mesh = trimesh.load(tmp_path / f"person{suffix}", force="mesh")
    head = upright(standing)[head_vertex(standing)]
    assert mesh.vertices[mesh.vertices[:, 1].argmax()] == pytest.approx(head, abs=1e-5)
    assert 1.4 < np.ptp(mesh.vertices[:, 1]) < 2.1
    toes = mesh.vertices[mesh.vertices[:, 1] < mesh.vertices[:, 1].min() + 0.05]
    heels_to_toes = toes[:, 2].max() - mesh.vertices[:, 2].mean()
    assert heels_to_toes > 0.05  # the feet point to the viewer, along +z
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight
    assert mesh.volume > 0.03  # positive: the triangles face outwards, nothing was mirrored
    assert len(mesh.faces) == len(template.faces)


def test_the_obj_keeps_the_order_of_vertices_and_has_the_atlas(standing, template, tmp_path):
    write_meshes(tmp_path / "person", standing, template)
    mesh = read_obj(tmp_path / "person.obj")
    np.testing.assert_allclose(mesh.vertices, upright(standing), atol=1e-7)
    np.testing.assert_allclose(mesh.texcoords, template.texcoords, atol=1e-8)
    np.testing.assert_array_equal(mesh.face_texcoords, template.face_texcoords)


def photograph(standing, camera, height: int, width: int):
    """A picture of a body whose colour says where its surface is, (x, y) in metres, and the colours of the vertices."""
    low, high = standing.min(axis=0), standing.max(axis=0)
    colours = (standing - low) / (high - low)
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    points = (2 * pixels - (width, height)) / width / camera[0] - camera[1:]
    picture = np.zeros((height, width, 3))
    picture[..., :2] = (points - low[:2]) / (high - low)[:2]
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8), colours[:, :2]


def test_the_texture_carries_each_seen_point_s_pixel_to_its_place_on_the_atlas(standing, template, tmp_path):
    """Looked up in the written .glb, by the texture coordinates that are in the file."""
    camera = np.array([0.9, 0.02, 0.3])
    image, colours = photograph(standing, camera, 500, 400)
    texture, seen = TextureMaker(template)(image, standing, camera)
    assert seen[texture[..., 0] != UNSEEN].mean() > 0.2
    write_textured(tmp_path / "person", standing, template, Texture.of(template, texture))

    mesh = trimesh.load(tmp_path / "person_textured.glb", force="mesh")
    picture = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"))
    size = len(picture)
    columns = np.floor(mesh.visual.uv[:, 0] * size).astype(int)
    rows = np.floor((1 - mesh.visual.uv[:, 1]) * size).astype(int)
    found = picture[rows, columns, :2] / 255
    distance, vertex = cKDTree(upright(standing)).query(mesh.vertices)
    assert distance.max() < 1e-5
    facing = mesh.vertex_normals[:, 2] > 0.6
    error = np.abs(found - colours[vertex])[facing].max(axis=1)
    assert np.median(error) < 0.01  # a texel is about 4 mm
    assert (error < 0.05).mean() > 0.9  # others are hidden, by arms and chin
    away = mesh.vertex_normals[:, 2] < -0.3
    assert (picture[rows, columns][away] == UNSEEN).all(axis=1).mean() > 0.88  # a texel holds a finger's both sides


def test_a_hidden_surface_takes_no_colour(template, standing):
    """Of two bodies behind each other the far one is not seen: here, the back of the one."""
    camera = np.array([0.9, 0.0, 0.3])
    image = np.full((300, 300, 3), 255, np.uint8)
    maker = TextureMaker(template)
    _, seen = maker(image, standing, camera)
    _, from_behind = maker(image, standing * (-1, 1, -1), camera)
    assert 0.05 < seen.mean() < 0.45
    assert (seen & from_behind).mean() < 0.01


def test_a_body_outside_the_image_leaves_texture_and_overlay_empty(template, standing):
    image = np.full((60, 80, 3), 255, np.uint8)
    camera = np.array([0.9, 9.0, 0.3])
    texture, seen = TextureMaker(template)(image, standing, camera)
    assert not seen.any()
    assert (texture == UNSEEN).all()
    assert (draw_mesh(image, standing, template.faces, camera, (0.0, 0.0, 1.0)) == image).all()


@pytest.mark.parametrize("scale", [0.0, -0.5, 1e-9, 1e9])
def test_a_camera_that_makes_no_sense_still_gives_pictures(template, standing, scale):
    """An untrained network may say anything."""
    image = np.full((60, 80, 3), 255, np.uint8)
    camera = weak_in_window(np.array([scale, 0.0, 0.3]), 50, np.array([5.0, 5.0]), 80)
    assert np.isfinite(camera).all()
    texture, _ = TextureMaker(template)(image, standing, camera)
    assert texture.shape == (512, 512, 3)
    assert draw_mesh(image, standing, template.faces, camera, (0.0, 0.0, 1.0)).shape == image.shape


def test_the_camera_of_a_crop_shows_the_same_points_in_its_image():
    rng = np.random.default_rng(0)
    points, camera = rng.normal(size=(20, 3)), np.array([0.8, 0.1, -0.2])
    square, (height, width) = Square(310.0, 95.0, 180.0), (240, 400)
    in_crop = project_weak(points, camera)  # -1 to 1 over the square
    expected = square.centre + in_crop * square.side / 2
    image_camera = weak_in_window(camera, square.side, np.array([width, height]) / 2 - square.centre, width)
    assert from_image_units(project_weak(points, image_camera), height, width) == pytest.approx(expected, abs=1e-9)


def test_an_overlay_lies_where_the_iuv_image_of_the_ray_caster_does(standing, data_root):
    faces = load_atlas_faces("BF", len(standing)).faces
    camera = np.array([0.7, 0.2, 0.5])
    blank = np.zeros((300, 260, 3), np.uint8)
    covered = draw_mesh(blank, standing, faces, camera, (1.0, 1.0, 1.0)).any(axis=-1)
    pixels = from_image_units(project_weak(standing, camera), 300, 260)
    low, high = np.argwhere(covered).min(axis=0)[::-1], np.argwhere(covered).max(axis=0)[::-1]
    assert low == pytest.approx(pixels.min(axis=0), abs=1.0)
    assert high == pytest.approx(pixels.max(axis=0), abs=1.0)


def test_a_picture_too_large_for_all_samples_shows_the_same_mesh_in_the_same_place(standing, data_root, monkeypatch):
    faces, camera = load_atlas_faces("BF", len(standing)).faces, np.array([0.9, 0.0, 0.3])
    blank = np.zeros((401, 397, 3), np.uint8)
    fine = draw_mesh(blank, standing, faces, camera, (0.9, 0.9, 0.9))
    assert fine.size < MAX_SAMPLES
    monkeypatch.setattr("utils.pictures.MAX_SAMPLES", 10_000)
    coarse = draw_mesh(blank, standing, faces, camera, (0.9, 0.9, 0.9))
    (union, common) = ((fine.any(-1) | coarse.any(-1)).sum(), (fine.any(-1) & coarse.any(-1)).sum())
    assert 0.8 < common / union < 1
    smooth = [cv2.GaussianBlur(picture, (0, 0), 6).astype(float) for picture in (fine, coarse)]
    assert np.abs(smooth[0] - smooth[1]).mean() < 2
    middles = [
        np.average(np.argwhere(picture.any(-1)), 0, picture[picture.any(-1)].mean(-1)) for picture in (fine, coarse)
    ]
    assert middles[0] == pytest.approx(middles[1], abs=2)  # half of the side of a block, which an arm is few of


def test_a_turntable_shows_the_photograph_and_one_turn_of_the_mesh(standing, template, tmp_path):
    """The mesh is as wide in each frame as its vertices, turned in float64, and never leaves its half."""
    standing = standing @ rotation_matrices(np.array([0, 0.6, 0])).T  # so that the two ways to turn differ
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (400, 300, 3)).astype(np.uint8), (0, 0), 20)
    frames = draw_turntable(image, Square(150.0, 200.0, 200.0), standing, template.faces, (0.2, 0.4, 0.9))
    write_turntable(tmp_path / "turn.gif", frames)
    with Image.open(tmp_path / "turn.gif") as found:
        assert found.info["loop"] == 0
        shown = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(found)]
        milliseconds = sum(frame.info["duration"] for frame in ImageSequence.Iterator(found))
    assert len(shown) == FRAMES and milliseconds == pytest.approx(1000 * SECONDS, rel=0.1)
    middle = standing - (standing.min(0) + standing.max(0)) / 2
    reach = max(np.hypot(middle[:, 0], middle[:, 2]).max(), np.abs(middle[:, 1]).max())
    for index, frame in enumerate(shown):
        assert np.abs(frame[:, :SIZE] - cv2.resize(image[100:300, 50:250], (SIZE, SIZE))[..., ::-1]).mean() < 6
        turn = 2 * np.pi * index / FRAMES
        across = (middle[:, 0] * np.cos(turn) + middle[:, 2] * np.sin(turn)) * FILL / reach
        columns = np.flatnonzero((np.abs(frame[:, SIZE:] - frame[0, SIZE]).max(-1) > 40).any(0))
        expected = SIZE / 2 * (1 + np.array([across.min(), across.max()]))
        assert columns[[0, -1]] == pytest.approx(expected, abs=2.5)
