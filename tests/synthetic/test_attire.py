"""Clothes and hair as shapes: outside of the body, where they belong, moved by its joints; and their colours."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from synthetic.photographs import clothing_regions as regions
from synthetic.photographs import hanging
from synthetic.photographs.attire import RestBody, make_attire
from synthetic.photographs.clothing_choice import LONG_HAIR, SHORT_HAIR, sample_outfit
from synthetic.photographs.clothing_painting import dress
from synthetic.stages import Collection, open_stage
from utils import config
from utils.body_model import pose_vertices

STYLES = [style for _, style in (*SHORT_HAIR, *LONG_HAIR)]


@pytest.fixture(scope="module")
def body(generated_root) -> RestBody:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "_root", generated_root)
        return open_stage(Collection()).rest_body


@pytest.fixture
def outfit():
    outfit = sample_outfit(np.random.default_rng(4))
    return replace(
        outfit, hair_style="short", beard="", sleeve=0.5, leg_length=1.9, skirt=False, top_ease=0.02, bottom_ease=0.02,
        hem=0.1, neckline="crew", shoe_height=2.05,
    )  # fmt: skip


def offsets(body: RestBody, attire) -> np.ndarray:
    """[V]: how far the displaced vertices stand off the body, along its normals."""
    return (attire.displacements * body.normals).sum(axis=1)


def test_clothes_and_hair_stand_off_the_body_and_face_and_hands_stay(body, outfit):
    rest, marks = body.vertices, body.marks
    away = offsets(body, make_attire(outfit, body))
    assert away.min() >= -1e-9
    face = (rest[:, 2] > marks.nose[2] - 0.04) & (np.abs(rest[:, 1] - marks.nose[1]) < 0.03)
    hands = np.abs(rest[:, 0]) > marks.arm[2]
    assert face.sum() > 50 and hands.sum() > 50
    assert not away[face].any() and not away[hands].any()
    trunk = (np.abs(rest[:, 1] - (marks.chest + marks.waist) / 2) < 0.05) & (np.abs(rest[:, 0]) < 0.1)
    scalp = rest[:, 1] > marks.crown - 0.02
    shins = np.abs(rest[:, 1] - (marks.leg[1] + marks.leg[2]) / 2) < 0.05
    for region in (trunk, scalp, shins):
        assert region.any() and away[region].min() > 0.005 and away[region].max() < 0.06


def test_suits_are_tight(body, outfit):
    attire = make_attire(replace(outfit, suit=np.ones(3), hair_style="shaved"), body)
    assert not attire.displacements.any() and not attire.hanging


def test_a_dressed_person_at_rest_is_the_displaced_body_and_moves_with_its_joints(body, outfit):
    model = body.model
    attire = make_attire(replace(outfit, hair_style="long", skirt=True), body)
    rest = attire.pose(model, np.zeros(72), np.zeros(10))
    count = len(body.vertices)
    np.testing.assert_allclose(rest[:count], body.vertices + attire.displacements, atol=1e-9)
    np.testing.assert_allclose(rest[count:], attire.hanging_rest(), atol=1e-9)
    # turned as a whole: a rigid motion of all vertices
    pose = np.zeros(72)
    pose[:3] = (0.3, -1.0, 0.4)
    turned = attire.pose(model, pose, np.zeros(10))
    pairs = np.random.default_rng(0).integers(0, len(rest), (200, 2))
    lengths = [np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1) for points in (rest, turned)]
    np.testing.assert_allclose(*lengths, atol=1e-9)
    # with nothing on, it is linear blend skinning of the body
    bare = make_attire(replace(outfit, suit=np.ones(3), hair_style="shaved"), body)
    pose, betas = 0.3 * np.random.default_rng(1).normal(size=72), np.linspace(-1, 1, 10)
    np.testing.assert_allclose(bare.pose(model, pose, betas), pose_vertices(model, pose, betas), atol=1e-9)


@pytest.mark.parametrize("style", STYLES)
def test_hair_lies_on_the_head_above_eyes_and_leaves_the_face_free(body, outfit, style):
    rest, marks = body.vertices, body.marks
    inside = regions.hair_reach(style, rest, marks) > 0
    crown, face = rest[:, 1] > marks.crown - 0.01, np.abs(rest - marks.nose).max(axis=1) < 0.025
    assert not inside[face].any() and not inside[rest[:, 1] < marks.neck[1]].any()
    assert inside[crown].all() == (style != "shaved")
    mirrored = regions.hair_reach(style, rest * (-1, 1, 1), marks) > 0
    np.testing.assert_array_equal(inside, mirrored)
    kinds = {part.kind for part in make_attire(replace(outfit, hair_style=style), body).hanging}
    expected = {"medium": hanging.HAIR, "long": hanging.HAIR, "tail": hanging.HAIR, "cap": hanging.BRIM}
    assert kinds - {hanging.SHOE} == ({expected[style]} if style in expected else set())


def test_shoes_enclose_the_feet_and_stand_on_the_floor(body, outfit):
    rest, marks = body.vertices, body.marks
    left, right = (part for part in make_attire(outfit, body).hanging if part.kind == hanging.SHOE)
    toes = rest[(rest[:, 1] < marks.leg[3] + 0.03) & (rest[:, 0] > 0)]
    shell = trimesh.Trimesh(left.vertices, left.faces, process=False)
    assert shell.is_watertight and shell.volume > 0
    planes = ConvexHull(left.vertices).equations
    assert (toes @ planes[:, :3].T + planes[:, 3]).max() < 1e-6
    assert left.vertices[:, 1].min() >= marks.leg[3] - 1e-9
    # the body is symmetric
    np.testing.assert_allclose(np.sort(left.vertices[:, 1]), np.sort(right.vertices[:, 1]), atol=1e-6)


def test_a_skirt_encloses_hips_and_thighs_and_follows_them(body, outfit):
    rest, marks = body.vertices, body.marks
    attire = make_attire(replace(outfit, skirt=True, leg_length=0.8), body)
    (tube,) = (part for part in attire.hanging if part.kind == hanging.SKIRT)
    np.testing.assert_allclose(tube.weights.sum(axis=1), 1)
    hem = tube.vertices[:, 1].min()
    thighs = (rest[:, 1] < marks.leg[0]) & (rest[:, 1] > hem + 0.01)
    axis = np.array([0, marks.neck[2]])

    def polar(points):
        across = points[:, [0, 2]] - axis
        return np.arctan2(*across.T), np.hypot(*across.T)

    angles, radii = polar(tube.vertices)
    for vertex in rest[thighs][::7]:
        angle, radius = polar(vertex[None])
        close = np.hypot((angles - angle + np.pi) % (2 * np.pi) - np.pi, (tube.vertices[:, 1] - vertex[1]) / 0.3) < 0.2
        assert radii[close].max() > radius[0] - 1e-6
    raised = np.zeros(72)
    raised[3] = -1.2  # the left thigh swings forwards
    count = len(rest)
    moved = attire.pose(body.model, raised, np.zeros(10))[count:] - attire.hanging_rest()
    low = attire.hanging_rest()[:, 1] < hem + 0.02
    left, right = (low & (sign * attire.hanging_rest()[:, 0] > 0.15) for sign in (1, -1))
    assert moved[left, 2].mean() > 0.15 and np.abs(moved[right]).max() < 0.1


def test_hollows_are_where_the_body_is_hollow(body):
    """Cloth spans the space between the buttocks and the collar bones, not the tip of the nose or the knees."""
    rest, marks = body.vertices, body.marks
    assert body.hollows.min() == 0 and 0.004 < body.hollows.max() <= 0.03
    nose = np.argmax(rest[:, 2] * (np.abs(rest[:, 1] - marks.nose[1]) < 0.02))
    assert body.hollows[nose] == 0


def test_what_lies_inside_a_border_is_painted_with_it(body, outfit):
    rest, marks = body.vertices.astype(np.float32), body.marks
    plain = replace(outfit.top, pattern="plain", grain=0.0, colour=np.array([0.9, 0.1, 0.1]))
    dressed = replace(outfit, top=plain, open_front=None, print_colour=None, belt=None, shoe=np.array([0.0, 0.0, 1.0]))
    worn = dress(dressed, rest, np.zeros(len(rest), np.uint8), marks)
    red = (worn.colour[:, 0] > 0.6) & (worn.colour[:, 1] < 0.15)
    np.testing.assert_array_equal(red, regions.top_reach(dressed, rest, marks) > 0)
    blue = (worn.colour == [0, 0, 1]).all(axis=1)
    np.testing.assert_array_equal(blue, regions.shoe_reach(dressed, rest, marks) > 0)
    skirt = dress(dressed, rest[:5], np.full(5, hanging.SHOE, np.uint8), marks)
    assert (skirt.colour == [0, 0, 1]).all()


def test_a_head_outside_of_the_picture_is_not_painted(body, outfit):
    feet = body.vertices[body.vertices[:, 1] < body.marks.leg[2]].astype(np.float32)
    worn = dress(replace(outfit, beard="full"), feet, np.zeros(len(feet), np.uint8), body.marks)
    assert np.isfinite(worn.colour).all()
