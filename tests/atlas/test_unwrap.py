"""Claims about the unwrapper, on generated bodies of capsules and on ellipsoids of another size and shape."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.spatial
from skimage.measure import marching_cubes

from atlas.unwrap.report import atlas_picture, distortion_report
from atlas.unwrap.templates import unwrap, write_atlases
from utils import config
from utils.errors import UserError
from utils.objfile import ObjMesh, read_obj, write_obj

# limbs of a small person, metres: ends and radii of round cones, for the half x >= 0
CAPSULES = [
    ((0, 0.15, 0), (0, 0.45, 0), 0.15, 0.14),
    ((0, 0.55, 0), (0, 0.72, 0.01), 0.08, 0.10),
    ((0.12, 0.48, 0), (0.62, 0.48, -0.02), 0.06, 0.04),
    ((0.09, 0.1, 0), (0.12, -0.65, 0), 0.09, 0.05),
    ((0.12, -0.68, -0.01), (0.12, -0.70, 0.14), 0.05, 0.04),
]


def capsule_body(spacing=0.032) -> ObjMesh:
    """A closed body whose two halves mirror each other exactly: marching cubes of one half, stitched to its image."""
    axes = [np.arange(0, 0.75, spacing), np.arange(-0.85, 0.9, spacing), np.arange(-0.25, 0.3, spacing)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance = np.full(points.shape[:3], np.inf)
    for start, end, thick, thin in CAPSULES:
        start, axis = np.array(start, float), np.subtract(end, start)
        along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
        reach = np.linalg.norm(points - start - along[..., None] * axis, axis=-1) - (thick + along * (thin - thick))
        distance = np.minimum(distance, reach)
    vertices, faces, _, _ = marching_cubes(distance, 0.00137, spacing=(spacing,) * 3, gradient_direction="ascent")
    half = vertices + [0, axes[1][0], axes[2][0]]
    return _double(half.astype(np.float64), faces.astype(np.int64))


def ellipsoid(subdivisions=3) -> ObjMesh:
    """An octahedron subdivided on a sphere and stretched; its vertices lie exactly on x = 0 or in mirror pairs."""
    vertices = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [1, 0, 0]], float)
    faces = np.array([[0, 2, 4], [0, 4, 3], [1, 4, 2], [1, 3, 4]])
    for _ in range(subdivisions):
        edges = np.sort(np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]), axis=1)
        edges, number = np.unique(edges, axis=0, return_inverse=True)
        middle = (number.reshape(3, -1) + len(vertices)).T
        vertices = np.concatenate([vertices, vertices[edges].mean(axis=1)])
        corner = [np.stack([faces[:, k], middle[:, k - 1], middle[:, k - 2]], axis=1) for k in range(3)]
        faces = np.concatenate([*corner, middle])
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    return _double(vertices * [0.3, 0.8, 0.25], faces[:, ::-1])


def _double(half: np.ndarray, faces: np.ndarray) -> ObjMesh:
    """Stitch a half body (vertices on x = 0 are shared) to its mirror image, facing outward."""
    a, b, c = (half[faces[:, k]] for k in range(3))
    if (np.cross(a, b) * c).sum() < 0:
        faces = faces[:, ::-1]
    inner = half[:, 0] > 1e-9
    half[~inner, 0] = 0
    image = np.arange(len(half))
    image[inner] = len(half) + np.arange(inner.sum())
    return ObjMesh(np.concatenate([half, half[inner] * [-1, 1, 1]]), np.concatenate([faces, image[faces][:, ::-1]]))


@pytest.fixture(scope="module")
def body():
    return capsule_body()


@pytest.fixture(scope="module")
def textured_body(body):
    return unwrap(body)


@pytest.fixture(scope="module", params=["body", "ellipsoid"])
def textured(request, textured_body):
    return textured_body if request.param == "body" else unwrap(ellipsoid())


def signed_areas(mesh):
    a, b, c = np.moveaxis(mesh.texcoords[mesh.face_texcoords], 1, 0)
    return np.cross(b - a, c - a) / 2


def test_the_mesh_itself_is_unchanged(body, textured_body):
    assert (textured_body.vertices == body.vertices).all() and (textured_body.faces == body.faces).all()
    owner = np.full(len(textured_body.texcoords), -1)
    owner[textured_body.face_texcoords] = body.faces
    assert (owner[textured_body.face_texcoords] == body.faces).all() and owner.min() >= 0  # one vertex per texcoord


def test_no_triangle_is_flipped_or_overlaps_another(textured):
    assert signed_areas(textured).min() > 0
    # independent witness: at random points of the square, the triangles that contain the point are at most one
    points = np.random.default_rng(0).random((3000, 2))
    corners = textured.texcoords[textured.face_texcoords]
    low, high = corners.min(axis=1), corners.max(axis=1)
    hits = np.zeros(len(points), int)
    for number, point in enumerate(points):
        near = corners[((low <= point) & (point <= high)).all(axis=1)]
        sides = [np.cross(near[:, k - 2] - near[:, k], point - near[:, k]) > 0 for k in range(3)]
        hits[number] = np.all(sides, axis=0).sum()
    assert hits.max() == 1
    assert abs(hits.mean() - signed_areas(textured).sum()) < 0.03  # and the areas are what the points say


def test_the_atlas_is_one_island_inside_the_margins_and_covers_most_of_the_square(textured):
    assert textured.texcoords.min() >= 0.02 - 1e-9 and textured.texcoords.max() <= 0.98 + 1e-9
    report = distortion_report(textured)
    assert report["islands"] == 1
    assert report["coverage"] > 0.8  # required: 0.45
    assert report["area_distortion"] < 0.4


def test_mirror_partners_lie_at_mirrored_texcoords_exactly(textured):
    partner = scipy.spatial.cKDTree(textured.vertices).query(textured.vertices * [-1, 1, 1])[1]
    owner = np.zeros(len(textured.texcoords), int)
    owner[textured.face_texcoords] = textured.faces
    places = {}
    for vertex, (u, v) in zip(owner, textured.texcoords.tolist(), strict=True):
        places.setdefault(vertex, set()).add((round(u, 9), v))
    for vertex, found in places.items():
        assert found == {(round(1 - u, 9), v) for u, v in places[partner[vertex]]}


def test_the_face_is_in_one_piece_and_the_head_is_on_top(body, textured_body):
    textured = textured_body
    owner = np.zeros(len(textured.texcoords), int)
    owner[textured.face_texcoords] = textured.faces
    midline_in_front = (body.vertices[owner, 0] == 0) & (body.vertices[owner, 2] > 0.05)
    assert (textured.texcoords[midline_in_front, 0] == 0.5).all()
    front_v, front_y = textured.texcoords[midline_in_front, 1], body.vertices[owner[midline_in_front], 1]
    assert np.corrcoef(front_v, front_y)[0, 1] < -0.9
    copies = np.bincount(owner)
    visible = (body.vertices[:, 2] > 0.03) & (body.vertices[:, 1] > 0)  # face, chest and belly
    assert (copies[visible] == 1).all() and (copies == 2).sum() > 50


def test_round_trip_is_better_than_the_published_atlas_on_smpl(textured_body):
    report = distortion_report(textured_body)
    assert report["round_trip_128"] < 1.31  # millimetres
    assert report["round_trip_64"] < 2.89


def test_a_body_that_is_symmetric_only_to_some_millimetres_is_paired_along_its_triangles(body):
    noise = np.random.default_rng(0).normal(size=body.vertices.shape) * 0.006
    assert (scipy.spatial.cKDTree(body.vertices + noise).query((body.vertices + noise) * [-1, 1, 1])[0] > 0.003).any()
    textured = unwrap(ObjMesh(body.vertices + noise, body.faces))
    assert signed_areas(textured).min() > 0 and distortion_report(textured)["coverage"] > 0.8


def test_halves_whose_quads_are_split_differently_are_laid_flat_together():
    """Body meshes made of quads are often split into triangles without regard to symmetry."""
    mesh = ellipsoid()
    faces, taken = mesh.faces.copy(), set()
    normals = np.cross(*(mesh.vertices[faces[:, k]] - mesh.vertices[faces[:, 0]] for k in (1, 2)))
    owner = {
        (f[k], f[(k + 1) % 3]): (number, f[(k + 2) % 3]) for number, f in enumerate(faces.tolist()) for k in range(3)
    }
    for (a, b), (one, c) in owner.items():
        two, d = owner[b, a]
        split = np.array([[c, a, d], [d, b, c]])
        turned = np.cross(*(mesh.vertices[split[:, k]] - mesh.vertices[split[:, 0]] for k in (1, 2)))
        right = (mesh.vertices[[a, b, c, d], 0] < -1e-9).all()
        if right and not {one, two} & taken and (turned @ normals[one] > 0.5 * normals[one] @ normals[one]).all():
            faces[[one, two]] = split
            taken |= {one, two}
    assert len(taken) > 60
    textured = unwrap(ObjMesh(mesh.vertices, faces))
    assert signed_areas(textured).min() > 0 and distortion_report(textured)["coverage"] > 0.8


def test_triangles_without_area_do_not_spoil_the_map():
    mesh = ellipsoid()
    a, b = mesh.faces[np.argmin(np.abs(mesh.vertices[mesh.faces].mean(axis=1) - [0.2, 0.3, 0.1]).sum(axis=1)), :2]
    image = scipy.spatial.cKDTree(mesh.vertices).query(mesh.vertices[[a, b]] * [-1, 1, 1])[1]
    mesh.vertices[b] = mesh.vertices[a] + 1e-9
    mesh.vertices[image[1]] = mesh.vertices[b] * [-1, 1, 1]
    textured = unwrap(mesh)
    assert signed_areas(textured).min() > 0 and distortion_report(textured)["coverage"] > 0.8


def test_the_same_mesh_gives_the_same_atlas(body, textured_body):
    again = unwrap(body)
    assert (again.texcoords == textured_body.texcoords).all()
    assert (again.face_texcoords == textured_body.face_texcoords).all()


def open_mesh(mesh):
    return ObjMesh(mesh.vertices, mesh.faces[:-1])


def inconsistent_mesh(mesh):
    return ObjMesh(mesh.vertices, np.concatenate([mesh.faces[:1, ::-1], mesh.faces[1:]]))


def two_pieces(mesh):
    return ObjMesh(
        np.concatenate([mesh.vertices, mesh.vertices * 0.1]),
        np.concatenate([mesh.faces, mesh.faces + len(mesh.vertices)]),
    )


def shifted(mesh):
    return ObjMesh(mesh.vertices + [0.3, 0, 0], mesh.faces)


def lopsided(mesh):
    grown = np.where(mesh.vertices[:, :1] > 0.2, [1.0, 2.5, 1.0], 1.0)
    return ObjMesh(mesh.vertices * grown, mesh.faces)


def torus():
    around, across = np.meshgrid(np.arange(12), np.arange(8), indexing="ij")
    a, b = 2 * np.pi * around.ravel() / 12, 2 * np.pi * across.ravel() / 8
    vertices = np.stack([(1 + 0.3 * np.cos(b)) * np.cos(a), (1 + 0.3 * np.cos(b)) * np.sin(a), 0.3 * np.sin(b)], axis=1)
    at = lambda i, j: ((i % 12) * 8 + j % 8).ravel()  # noqa: E731
    i, j = around, across
    one = np.stack([at(i, j), at(i + 1, j), at(i, j + 1)], axis=1)
    two = np.stack([at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)], axis=1)
    return ObjMesh(vertices, np.concatenate([one, two]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (open_mesh, "is open: 3 border edges, one of them between vertices"),
        (inconsistent_mesh, "not manifold or not oriented"),
        (two_pieces, "2 separate pieces"),
        (shifted, "not left-right symmetric"),
        (lopsided, "not left-right symmetric"),
        (lambda _: torus(), "genus 1"),
    ],
)
def test_bad_meshes_are_refused_with_what_and_where(spoil, message):
    with pytest.raises(UserError, match=message):
        unwrap(spoil(ellipsoid(3)))


def test_the_command_writes_a_template_and_a_picture(tmp_path):
    body = ellipsoid()
    write_obj(tmp_path / "body.obj", body)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "atlas.unwrap", "body.obj", "--out", "template.obj", "--picture", "atlas.png"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "coverage" in done.stdout and "round_trip_128" in done.stdout
    assert signed_areas(read_obj(tmp_path / "template.obj")).min() > 0
    picture = cv2.imread(str(tmp_path / "atlas.png"))
    assert picture.shape[1] == 2 * picture.shape[0] and picture.std() > 20

    write_obj(tmp_path / "body.obj", open_mesh(body))
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert done.returncode == 2 and "is open" in done.stderr and "Traceback" not in done.stderr


def test_both_templates_of_a_data_root_hold_the_reference_mesh(body, tmp_path):
    write_obj(tmp_path / "reference_mesh.obj", body)
    stale = config.atlas_tables("BF", 64, 64, tmp_path)
    stale.parent.mkdir()
    stale.write_bytes(b"of another body")
    write_atlases(tmp_path)
    assert not stale.exists()
    for uv_type in config.ATLAS_TEMPLATES:
        template = read_obj(config.atlas_template(uv_type, tmp_path))
        assert np.abs(template.vertices - body.vertices).max() < 1e-8 and (template.faces == body.faces).all()
        assert template.texcoords.min() >= 0 and template.texcoords.max() <= 1
        assert atlas_picture(template, 64).shape == (64, 128, 3)
