"""The numpy ray caster beside Intel Embree: the same hits on bodies, at edges, around the camera, in large pictures."""

import numpy as np
import pytest
import trimesh

from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.camera import OrthographicCamera, PerspectiveCamera, perspective_from_weak
from utils.ray_casting.numpy_caster import PAIRS, NumpyCaster
from utils.renderer import BAND, Hits, Renderer, unit, vertex_normals

pytest.importorskip("embreex", reason="there is no Embree to compare with on this kind of machine")
from utils.ray_casting.embree_caster import EmbreeCaster  # noqa: E402

SIZE = 224
CAMERAS = {
    "perspective": perspective_from_weak(np.array([0.8, 0.05, 0.0]), SIZE, SIZE),
    "orthographic": OrthographicCamera(0.8, (0.05, 0.0)),
    "from within": PerspectiveCamera(100.0, (SIZE / 2, SIZE / 2), np.array([0.0, 0.1, 0.3])),
}
AT_AN_EDGE = 1e-4  # barycentric weight: float32 rays and weights pass such an edge on either side


def both(vertices, faces) -> tuple[Renderer, Renderer]:
    return Renderer(vertices, faces, EmbreeCaster), Renderer(vertices, faces, NumpyCaster)


def cast_both(vertices, faces, camera, height=SIZE, width=SIZE, supersample=1) -> tuple[Hits, Hits]:
    embree, numpy = both(vertices, faces)
    return embree.cast(camera, height, width, supersample), numpy.cast(camera, height, width, supersample)


def assert_same(embree: Hits, numpy: Hits, reach: float) -> None:
    """The same hits, but for triangles that share the edge a ray meets; reach: metres from rays' start to the mesh."""
    assert embree.mask.any()
    assert (embree.mask == numpy.mask).all()
    differ = embree.triangle != numpy.triangle
    assert (embree.barycentric[differ].min(axis=-1) < AT_AN_EDGE).all()
    assert (numpy.barycentric[differ].min(axis=-1) < AT_AN_EDGE).all()
    distance = np.abs(embree.depth[embree.mask] - numpy.depth[embree.mask])
    assert np.quantile(distance, 0.99) < 1e-6 * reach
    assert distance.max() < 1e-5 * reach  # of triangles that are seen from their edge
    same = embree.mask & ~differ
    assert np.quantile(np.abs(embree.barycentric - numpy.barycentric)[same], 0.99) < AT_AN_EDGE


@pytest.fixture
def body(data_root):
    return load_body_model(config.SMPL_FILE)


def posed(body, spread: float, seed: int) -> np.ndarray:
    pose = np.random.default_rng(seed).normal(size=72) * spread
    pose[0] += np.pi
    return pose_vertices(body, pose, np.random.default_rng(seed).normal(size=10))


@pytest.mark.parametrize("name", CAMERAS)
def test_both_casters_see_the_same_of_posed_bodies(body, name):
    for seed, spread in enumerate((0.1, 0.3, 0.6)):
        hits = cast_both(posed(body, spread, seed), body.faces, CAMERAS[name], supersample=1 + seed % 2)
        assert_same(*hits, reach=14 if name == "perspective" else 2)


@pytest.mark.parametrize("name", ["perspective", "orthographic"])
def test_a_symmetric_body_has_no_seam_where_rays_pass_along_its_edges(body, name):
    """The middle column's rays lie in the plane of symmetry, and so in the edges of the body's middle line."""
    upright = body.v_template * (1, -1, -1)
    camera = {
        "perspective": perspective_from_weak(np.array([0.8, 0.0, 0.0]), SIZE, SIZE),
        "orthographic": OrthographicCamera(0.8, (0, 0)),
    }[name]
    embree, numpy = cast_both(upright, body.faces, camera)
    assert_same(embree, numpy, reach=14 if name == "perspective" else 2)
    from_head_to_crotch = np.flatnonzero(numpy.mask[:, SIZE // 2])
    assert len(from_head_to_crotch) > 60 and (np.diff(from_head_to_crotch) == 1).all()


def test_both_casters_find_the_same_points_in_the_light(body):
    embree, numpy = both(posed(body, 0.3, 1), body.faces)
    rng = np.random.default_rng(0)
    normals = vertex_normals(embree.vertices, embree.faces)
    starts = np.tile(embree.vertices + 4e-3 * normals, (2, 1))
    directions = unit(np.tile(normals, (2, 1)) + 0.98 * unit(rng.normal(size=starts.shape)))
    open_to_light = embree.visible_from(starts, directions)
    assert 0.5 < open_to_light.mean() < 0.95
    assert (open_to_light == numpy.visible_from(starts, directions)).mean() > 0.9995
    towards_viewer = (0.0, 0.0, -1.0)
    agree = embree.visible_from(starts, towards_viewer) == numpy.visible_from(starts, towards_viewer)
    assert agree.mean() > 0.9995


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_unit_of_length_plays_no_part(scale):
    ball = trimesh.creation.icosphere(4)
    turned = trimesh.transform_points(ball.vertices, trimesh.transformations.euler_matrix(0.3, 0.5, 0.7))
    camera = PerspectiveCamera(300.0, (SIZE / 2, SIZE / 2), scale * np.array([0.01, 0.02, 4]))
    assert_same(*cast_both(scale * turned, ball.faces, camera), reach=4 * scale)


def test_no_ray_slips_through_an_edge_or_a_corner():
    """Every ray passes through a vertex of a fine grid, or along an edge or a diagonal of it."""
    side = 33
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    vertices = np.stack([columns.ravel(), rows.ravel(), np.full(side**2, 5)], axis=1).astype(float)
    corner = (rows[:-1, :-1] * side + columns[:-1, :-1]).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + side + 1], 1), np.stack([corner, corner + side + 1, corner + side], 1)]
    )
    for step in (1, 2, 3, 7):
        camera = PerspectiveCamera(5.0 * step, (0.0, 0.0), np.zeros(3))  # step pixels from vertex to vertex
        seen = Renderer(vertices, faces, NumpyCaster).cast(camera, 32 * step, 32 * step).mask
        assert seen[1:-1, 1:-1].all()


def test_a_wall_through_the_camera_s_plane_is_drawn():
    wall = np.array([[-1.0, -1, -3], [-1, 1, -3], [-1, 0, 9]])  # at the left, from behind the viewer to far ahead
    embree, numpy = cast_both(wall, np.array([[0, 1, 2]]), PerspectiveCamera(50.0, (64, 64), np.zeros(3)), 128, 128)
    assert_same(embree, numpy, reach=9)
    assert numpy.mask[64, :58].all() and not numpy.mask[:, 65:].any()


def test_what_lies_behind_the_camera_is_not_seen():
    ball = trimesh.creation.icosphere(2)
    for place in ((0, 0, -5), (0.3, 0, -1.5)):
        camera = PerspectiveCamera(100.0, (64, 64), np.array(place))
        for hits in cast_both(ball.vertices, ball.faces, camera, 128, 128):
            assert not hits.mask.any()


def test_triangles_of_no_area_or_without_numbers_are_left_out():
    vertices = np.array([[-1.0, -1, 1], [1, -1, 1], [0, 1, 1], [np.nan, 0, 0], [0.0, -1, 0.5]])
    faces = np.array([[0, 1, 3], [0, 0, 0], [0, 1, 4], [0, 1, 2]])
    camera = PerspectiveCamera(20.0, (32, 32), np.array([0, 0, 4.0]))
    hits = Renderer(vertices, faces, NumpyCaster).cast(camera, 64, 64)
    assert hits.mask.any()
    assert set(np.unique(hits.triangle[hits.mask])) <= {2, 3}


def test_a_picture_of_many_bands_and_parts_is_that_of_one():
    """One triangle over the whole picture, so that neither rays nor pairs fit into one step."""
    corners = np.array([[-9.0, -9, 1], [9, -8, 1.5], [0, 9, 2]])
    height, width = 700, 600
    assert height * width > BAND and height * width > 3 * PAIRS
    embree, numpy = cast_both(corners, np.array([[0, 1, 2]]), OrthographicCamera(1.0, (0, 0)), height, width)
    assert numpy.mask.all()
    assert_same(embree, numpy, reach=2)
    rows, columns = np.mgrid[:height, :width]
    x, y = (2 * columns - width) / width, (2 * rows - height) / width
    plane = np.linalg.solve(np.c_[corners[:, :2], np.ones(3)], corners[:, 2])
    assert np.allclose(numpy.depth, plane[0] * x + plane[1] * y + plane[2], atol=1e-6)
