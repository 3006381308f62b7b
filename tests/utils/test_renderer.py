"""Both ray casters against a plain z-buffer and against geometry that is known in closed form."""

import numpy as np
import pytest
import trimesh

from datasets.preprocess.generate_gt_iuv import load_atlas_faces
from tests.reference.rasteriser import z_buffer
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.camera import OrthographicCamera, PerspectiveCamera, perspective_from_weak
from utils.pictures import overlay
from utils.ray_casting.numpy_caster import NumpyCaster
from utils.renderer import DEFAULT_CASTER, Renderer, cast_mesh, iuv_image, shade, vertex_normals

HEIGHT, WIDTH = 150, 120
CAMERAS = {
    "perspective": PerspectiveCamera(1000.0, (WIDTH / 2, HEIGHT / 2), np.array([0.05, -0.1, 14.0])),
    "orthographic": OrthographicCamera(0.9, (0.05, -0.1)),
}


@pytest.fixture(params=dict.fromkeys([DEFAULT_CASTER, NumpyCaster]))
def caster(request):
    return request.param


def two_bodies() -> tuple[np.ndarray, np.ndarray]:
    """A tall ellipsoid and a ball that hides a part of it."""
    body, ball = trimesh.creation.icosphere(3), trimesh.creation.icosphere(2)
    vertices = np.concatenate([body.vertices * (0.35, 0.8, 0.2), ball.vertices * 0.2 + (0.1, 0.2, -0.6)])
    return vertices, np.concatenate([body.faces, ball.faces + len(body.vertices)])


def corner_uv(vertices, faces) -> np.ndarray:
    return (0.5 + vertices[:, [1, 2]] / 2)[faces]


def assert_agrees_with_a_plain_z_buffer(caster, vertices, faces, face_uv, camera, height: int, width: int):
    """Also returns the differences of u and v [n, 2] where both see the mesh."""
    iuv = iuv_image(Renderer(vertices, faces, caster).cast(camera, height, width), face_uv)
    mask, uv = z_buffer(vertices, faces, face_uv, camera, height, width)
    seen = iuv[..., 0] == 1
    assert (seen & mask).sum() / (seen | mask).sum() >= 0.99
    difference = np.abs(iuv[..., 1:] / 255 - uv)[seen & mask]
    assert np.median(difference) <= 0.002
    return difference


@pytest.mark.parametrize("name", CAMERAS)
def test_rays_agree_with_a_plain_z_buffer(caster, name):
    vertices, faces = two_bodies()
    difference = assert_agrees_with_a_plain_z_buffer(
        caster, vertices, faces, corner_uv(vertices, faces), CAMERAS[name], HEIGHT, WIDTH
    )
    assert difference.max() < 0.06  # at most a triangle's width where a ray passes an outline


def test_the_iuv_image_of_a_posed_body_agrees_with_a_plain_z_buffer(caster, data_root):
    body = load_body_model(config.SMPL_FILE)
    atlas = load_atlas_faces("BF", len(body.v_template))
    pose = np.random.default_rng(3).normal(size=72) * 0.15
    pose[:3] = (np.pi, 0, 0)
    vertices = pose_vertices(body, pose, np.zeros(10))
    camera = perspective_from_weak(np.array([0.8, 0.05, 0.0]), 224, 224)
    difference = assert_agrees_with_a_plain_z_buffer(caster, vertices, atlas.faces, atlas.uv, camera, 224, 224)
    assert len(difference) > 3000


@pytest.mark.parametrize("name", CAMERAS)
def test_the_point_a_pixel_sees_projects_onto_that_pixel(caster, name):
    vertices, faces = two_bodies()
    hits = Renderer(vertices, faces, caster).cast(CAMERAS[name], HEIGHT, WIDTH)
    points = hits.interpolate(vertices[faces])
    rows, columns = np.nonzero(hits.mask)
    projected = CAMERAS[name].project(points, HEIGHT, WIDTH)
    assert np.abs(projected - np.stack([columns, rows], axis=1)).max() < 2e-3
    offset = 14.0 if name == "perspective" else 0.0
    assert np.allclose(hits.depth[hits.mask], points[:, 2] + offset, atol=1e-4)


def test_a_ray_passes_through_the_integer_coordinate_of_its_pixel(caster):
    # a sliver that covers x in (9.9, 10.1) px and y in (4.9, 7.1) px
    camera = PerspectiveCamera(100.0, (0.0, 0.0), np.zeros(3))
    square = np.array([[9.9, 4.9, 100], [10.1, 4.9, 100], [10.1, 7.1, 100], [9.9, 7.1, 100]])
    hits = Renderer(square, np.array([[0, 1, 2], [0, 2, 3]]), caster).cast(camera, 12, 16)
    assert np.argwhere(hits.mask).tolist() == [[5, 10], [6, 10], [7, 10]]


def test_iuv_image_holds_mask_then_u_then_v_rounded():
    camera = PerspectiveCamera(1.0, (0.0, 0.0), np.zeros(3))
    triangle = np.array([[-9.0, -9, 1], [30, -9, 1], [-9, 30, 1]])
    face_uv = np.full((1, 3, 2), (0.2, 0.601))
    iuv = iuv_image(cast_mesh(triangle, np.array([[0, 1, 2]]), camera, 4, 4), face_uv)
    assert iuv.dtype == np.uint8
    assert (iuv == (1, 51, 153)).all()


def test_a_mesh_outside_the_picture_leaves_it_empty(caster):
    vertices, faces = two_bodies()
    camera = PerspectiveCamera(1000.0, (WIDTH / 2, HEIGHT / 2), np.array([9.0, 0, 14]))
    hits = Renderer(vertices, faces, caster).cast(camera, HEIGHT, WIDTH)
    assert not hits.mask.any()
    assert not iuv_image(hits, corner_uv(vertices, faces)).any()


def test_face_values_label_pixels_by_the_triangle_they_see(caster):
    vertices, faces = two_bodies()
    hits = Renderer(vertices, faces, caster).cast(CAMERAS["perspective"], HEIGHT, WIDTH)
    part = (np.arange(len(faces)) >= 1280).astype(np.int32)  # 0 body, 1 ball
    picture = hits.face_values(part, background=-1)
    ball_z = vertices[faces[1280:]].mean(axis=(0, 1))[2] + 14
    assert set(np.unique(picture)) == {-1, 0, 1}
    assert np.abs(hits.depth[picture == 1] - ball_z).max() < 0.25
    assert (hits.depth[picture == 0] > 13.7).all()


def test_supersampled_coverage_measures_the_area_of_the_outline(caster):
    vertices, faces = two_bodies()
    camera, ellipsoid = OrthographicCamera(1.0, (0.0, 0.0)), vertices[:642]
    hits = Renderer(ellipsoid, faces[:1280], caster).cast(camera, WIDTH, WIDTH, supersample=4)
    _, coverage = shade(hits, ellipsoid, faces[:1280])
    area = np.pi * 0.35 * 0.8 * (WIDTH / 2) ** 2
    assert coverage.shape == (WIDTH, WIDTH)
    assert 0 < coverage[(coverage > 0) & (coverage < 1)].size < 600
    assert coverage.sum() == pytest.approx(area, rel=0.02)


def test_normals_of_a_ball_point_outwards():
    ball = trimesh.creation.icosphere(3)
    worst = np.abs(vertex_normals(ball.vertices, ball.faces) - ball.vertices).max()
    assert worst < 0.02  # 642 points stand for the ball


def test_the_lit_side_is_brighter_and_colours_are_kept():
    ball = trimesh.creation.icosphere(3)
    hits = cast_mesh(ball.vertices, ball.faces, OrthographicCamera(0.9, (0, 0)), 64, 64, supersample=2)
    colour, coverage = shade(hits, ball.vertices, ball.faces, (1.0, 0.5, 0.0), light=(-1, 0, -1), specular=0)
    assert colour[32, 14, 0] > 1.5 * colour[32, 50, 0]
    inside = coverage == 1
    assert np.allclose(colour[inside] @ [0.5, -1, 0], 0, atol=1e-5)
    assert (colour[inside][:, 2] == 0).all()


def test_a_ball_shades_the_wall_behind_it_and_nothing_else(caster):
    ball = trimesh.creation.icosphere(3)
    wall = np.array([[-3.0, -3, 2], [-3, 3, 2], [3, 3, 2], [3, -3, 2]])  # its normal faces the viewer
    vertices = np.concatenate([ball.vertices * 0.4, wall])
    faces = np.concatenate([ball.faces, np.array([[0, 1, 2], [0, 2, 3]]) + len(ball.vertices)])
    renderer = Renderer(vertices, faces, caster)
    hits = renderer.cast(OrthographicCamera(0.35, (0, 0)), 100, 100)
    points, normals = hits.interpolate(vertices[faces]), vertex_normals(vertices, faces)
    starts = (points + 2e-3 * hits.interpolate(normals[faces])).astype(np.float32)
    lit = np.zeros(hits.mask.shape)
    lit[hits.mask] = renderer.visible_from(starts, (-1, 0, -1))
    # the shadow of a ball of radius 0.4 at the origin falls 2 m to the right, at x = 2 on the wall
    to_pixel = 0.35 * 50
    assert lit[50, int(50 + 2 * to_pixel)] == 0
    assert lit[50, int(50 - 2 * to_pixel)] == 1
    on_wall = hits.triangle >= len(ball.faces)
    ellipse = np.pi * 0.4 * (0.4 * np.sqrt(2)) * to_pixel**2
    assert (lit[on_wall] == 0).sum() == pytest.approx(ellipse, rel=0.05)


def test_overlay_changes_covered_pixels_only():
    vertices, faces = two_bodies()
    hits = cast_mesh(vertices, faces, CAMERAS["perspective"], HEIGHT, WIDTH)
    background = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    picture = overlay(background, shade(hits, vertices, faces, (0.0, 0.0, 1.0), specular=0))
    assert (picture[~hits.mask] == background[~hits.mask]).all()
    assert (picture[hits.mask][:, :2] == 0).all()
