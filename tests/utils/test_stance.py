"""Claims about how a body lies in its file: of 48 ways, turned and mirrored, only the right one is accepted."""

import itertools

import numpy as np
import pytest

from atlas.unwrap.templates import unwrap
from tests.atlas.test_unwrap import capsule_body, ellipsoid
from utils import config
from utils.errors import UserError
from utils.objfile import ObjMesh, read_obj
from utils.own_body.stance import check_stance, find_turn

MIRROR = np.diag([-1.0, 1.0, 1.0])


def all_ways() -> list[np.ndarray]:
    """The 48 matrices [3, 3] that map axes to axes: 24 turns, and their mirror images."""
    signs = itertools.product((1.0, -1.0), repeat=3)
    return [
        np.eye(3)[list(order)] * np.array(sign)[:, None]
        for order, sign in itertools.product(itertools.permutations(range(3)), signs)
    ]


def hanging_arms(mesh: ObjMesh) -> ObjMesh:
    """The capsule body with its arms at 45 degrees: an A pose."""
    vertices = mesh.vertices.copy()
    reach = np.maximum(np.abs(vertices[:, 0]) - 0.15, 0) * (vertices[:, 1] > 0.3)
    vertices[:, 1] -= 0.7 * reach
    vertices[:, 0] -= np.sign(vertices[:, 0]) * 0.3 * reach
    return ObjMesh(vertices, mesh.faces)


@pytest.fixture(scope="module", params=["generated", "capsules", "uneven capsules", "A pose", "coarse"])
def body(request, generated_root) -> ObjMesh:
    if request.param == "generated":
        return read_obj(generated_root / config.REFERENCE_MESH.name)
    mesh = capsule_body(0.045 if request.param == "coarse" else 0.032)
    if request.param == "A pose":
        return hanging_arms(mesh)
    if request.param == "uneven capsules":
        return ObjMesh(mesh.vertices + np.random.default_rng(0).normal(size=mesh.vertices.shape) * 0.004, mesh.faces)
    return mesh


def placed(mesh: ObjMesh, way: np.ndarray) -> ObjMesh:
    """A body turned or mirrored, its triangles facing outward again."""
    return ObjMesh(mesh.vertices @ way.T, mesh.faces if np.linalg.det(way) > 0 else mesh.faces[:, ::-1])


def test_of_all_turns_and_mirror_images_only_the_upright_body_that_faces_the_viewer_is_accepted(body):
    accepted = []
    for way in all_ways():
        mesh = placed(body, way)
        try:
            check_stance(mesh.vertices, mesh.faces)
            accepted.append(way)
        except UserError as error:
            assert "becomes" in str(error)
    # left and right of a body look alike: its mirror image is as right as itself
    assert len(accepted) == 2
    assert any(np.array_equal(way, np.eye(3)) for way in accepted)
    assert any(np.array_equal(way, MIRROR) for way in accepted)


def test_the_turn_that_is_named_brings_every_body_back(body):
    for way in all_ways():
        mesh = placed(body, way)
        turn = find_turn(mesh.vertices, mesh.faces)
        assert np.linalg.det(turn) > 0
        again = mesh.vertices @ turn.T
        assert np.allclose(again, body.vertices) or np.allclose(again, body.vertices @ MIRROR)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ([[1, 0, 0], [0, 0, -1], [0, 1, 0]], r"stands along \+z and faces -y.*becomes \(x, z, -y\)"),  # Blender
        ([[-1, 0, 0], [0, 1, 0], [0, 0, -1]], r"stands along \+y and faces -z.*becomes \(-x, y, -z\)"),
        ([[0, -1, 0], [1, 0, 0], [0, 0, 1]], r"stands along -x and faces \+z.*becomes \(y, -x, z\)"),  # lies on a side
    ],
)
def test_the_message_says_what_each_coordinate_becomes(way, message):
    mesh = placed(capsule_body(), np.array(way, float))
    with pytest.raises(UserError, match=message):
        unwrap(mesh)


@pytest.mark.parametrize(
    ("factor", "cure"), [(100, "centimetres, multiply by 0.01"), (1000, "millimetres, multiply by 0.001"),
                         (10, "decimetres, multiply by 0.1"), (0.001, "kilometres, multiply by 1000")],
)  # fmt: skip
def test_bodies_in_other_units_are_refused_with_the_factor(factor, cure):
    mesh = capsule_body()
    with pytest.raises(UserError, match=cure):
        unwrap(ObjMesh(mesh.vertices * factor, mesh.faces))


def test_a_body_beside_the_middle_is_told_by_how_much():
    mesh = capsule_body()
    with pytest.raises(UserError, match="about x = 0.300. Subtract that"):
        unwrap(ObjMesh(mesh.vertices + [0.3, 0, 0], mesh.faces))


def test_a_body_inside_out_is_told_to_reverse_its_triangles():
    mesh = capsule_body()
    with pytest.raises(UserError, match="face inward"):
        unwrap(ObjMesh(mesh.vertices, mesh.faces[:, ::-1]))


def test_what_has_no_feet_and_no_head_is_taken_as_it_is():
    for way in all_ways():
        mesh = placed(ellipsoid(), way)
        check_stance(mesh.vertices, mesh.faces)
