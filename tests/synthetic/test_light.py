"""Light, shadows and textures of the generated photographs: what geometry and arithmetic say of them."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from synthetic.photographs import shadows, textures
from synthetic.photographs.framing import Sitter
from synthetic.photographs.lighting import SETS, Light, lit_samples, lit_share, openness, set_of
from synthetic.photographs.poses import SampledPose
from synthetic.photographs.rooms import studio
from synthetic.photographs.view import View, world_to_camera
from utils.camera import PerspectiveCamera
from utils.renderer import Renderer

UP = np.array([0, 1, 0], np.float32)
LAMP = Light(UP, np.ones(3), np.ones(3), np.zeros(3), np.array([0, 0, 1], np.float32), softness=0.2)


def wall() -> Renderer:
    """The half-plane x = 0, y > 0, as large as a triangle can be."""
    return Renderer([[0, 0, -1e4], [0, 0, 1e4], [0, 2e4, 0]], [[0, 1, 2]])


def points_at(x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SETS points close to (x, 0, 0) whose normals point up, one for each set of rays."""
    places = np.full((SETS, 3), [x, 0, 0], np.float32)
    return places, np.tile(UP, (SETS, 1)), np.arange(SETS)


def test_a_point_at_the_foot_of_a_high_wall_sees_half_of_the_sky():
    rng = np.random.default_rng(0)
    shares = openness(wall(), *points_at(1e-3), rng, 64)
    assert shares.mean() == pytest.approx(0.5, abs=0.02) and shares.std() < 0.05
    assert (openness(wall(), *points_at(5e4), rng, 8) == 1).all()


def test_at_the_edge_of_a_shadow_half_of_the_lamp_is_seen():
    """The lamp is right above, and the wall hides what lies to the left."""
    rng = np.random.default_rng(0)
    shares = lit_share(wall(), LAMP, *points_at(1e-3), rng, 16)
    assert shares.mean() == pytest.approx(0.5, abs=0.03) and shares.std() < 0.1


def test_what_is_turned_away_from_the_lamp_does_not_see_it():
    places, normals, _ = points_at(5e4)
    corner = np.arange(SETS) % 4
    assert (lit_samples(wall(), LAMP, places, normals, corner) == 1).all()
    assert not lit_samples(wall(), LAMP, places, -normals, corner).any()


def test_neighbours_on_a_grid_have_different_sets_of_rays():
    rows, columns = np.mgrid[:9, :9]
    sets = set_of(rows, columns)
    for row in range(6):
        for column in range(6):
            assert len(set(sets[row : row + 4, column : column + 4].ravel())) == SETS


def test_light_on_a_surface_is_lambert_plus_sky_and_ground():
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(40, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lit, open_share = rng.random(40), rng.random(40)
    light = replace(LAMP, direct=rng.random(3), sky=rng.random(3), ground=rng.random(3))
    found = light.on(normals.astype(np.float32), lit.astype(np.float32), open_share.astype(np.float32))
    for k in range(40):
        above = (1 + normals[k] @ light.up) / 2
        ambient = above * light.sky + (1 - above) * light.ground
        expected = max(normals[k] @ light.direction, 0) * lit[k] * light.direct + open_share[k] * ambient
        np.testing.assert_allclose(found[k], expected, atol=1e-5)


def test_a_ball_darkens_the_floor_below_it_and_nothing_far_away():
    axes = world_to_camera(20, 0).astype(np.float32)
    view = View(PerspectiveCamera(300.0, (80.0, 60.0), np.array([0.0, 0.0, 6.0])), 120, 160, axes, -1.0)
    ball = trimesh.creation.icosphere(3, radius=0.3)
    rng = np.random.default_rng(0)
    backdrop = studio(rng, view)
    sitter = Sitter(np.zeros(72), np.zeros(10), ball.vertices, view, 0.0, SampledPose(np.zeros(72), np.zeros(0)))
    light = replace(LAMP, direction=view.up, up=view.up, softness=0.02)
    nothing = Renderer(ball.vertices + 1e3 * view.up, ball.faces)
    alone = shadows.light_backdrop(backdrop, sitter, nothing, light, np.random.default_rng(2))
    shaded = shadows.light_backdrop(
        backdrop, sitter, Renderer(ball.vertices, ball.faces), light, np.random.default_rng(2)
    )
    share = (shaded / alone).mean(axis=2)
    points = view.origin + view.directions * backdrop.distance[..., None]
    off_axis = np.linalg.norm(points - np.outer(points.reshape(-1, 3) @ view.up, view.up).reshape(points.shape), axis=2)
    on_floor = np.abs(points @ view.up - view.floor) < 1e-3
    assert (share[on_floor & (off_axis < 0.2)] < 0.75).all()
    assert (share[off_axis > 1.5] > 0.93).all()
    assert np.abs(share[off_axis > 2.6] - 1).max() < 0.01


def test_mixed_colours_are_the_weighted_sum():
    rng = np.random.default_rng(0)
    for shape in ((7,), (5, 6)):
        shares, colours = rng.random((3, *shape)), rng.random((3, 3))
        expected = np.einsum("k...,kc->...c", shares, colours)
        found = textures.mix(list(shares), colours)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(textures.between(colours[0], colours[1], np.zeros(2)), [colours[0]] * 2, atol=1e-7)
    np.testing.assert_allclose(textures.between(colours[0], colours[1], np.ones(2)), [colours[1]] * 2, atol=1e-7)


def test_noise_is_smooth_everywhere_and_differs_by_place():
    noise = textures.Noise(np.random.default_rng(0), 0.5, 1)
    along = np.arange(0, 400, 0.002, dtype=np.float32)  # longer than the tile behind it, 128 m
    values = noise(along, along * 0)
    assert np.abs(np.diff(values)).max() < 0.02
    assert 0.3 < values.std() < 0.8 and np.abs(values).max() < 1.3
    other = textures.Noise(np.random.default_rng(1), 0.5, 1)(along, along * 0)
    assert abs(np.corrcoef(values, other)[0, 1]) < 0.2


def test_sensor_noise_is_normally_distributed_and_never_the_same():
    rng = np.random.default_rng(0)
    first, second = textures.sensor_noise(rng, 600, 200), textures.sensor_noise(rng, 600, 200)
    for noise in (first, second):
        assert noise.shape == (600, 200, 3)
        assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
        assert abs((np.abs(noise) < 1).mean() - 0.683) < 0.01
    assert abs((first * second).mean()) < 0.02
