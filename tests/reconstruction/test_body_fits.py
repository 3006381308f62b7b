"""Bodies for the network's meshes: which vertices count, what is fitted, and meshes that cannot be."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from reconstruction.body_fits import UNSEEN_CONFIDENCE, BodyFits, FittedBody
from synthetic.photographs.poses import sample_pose
from tests.helpers.soft_body import part_of, smooth_fields, soft_body
from tests.helpers.soft_people import draw_pose, front_and_back, iuv_of
from utils import config
from utils.body_model import load_body_model, pose_joints, pose_vertices
from utils.camera import OrthographicCamera
from utils.errors import UserError
from utils.objfile import read_obj
from utils.renderer import Renderer, vertex_normals


@pytest.fixture(scope="module")
def fits() -> BodyFits:
    return BodyFits(soft_body(), front_and_back())


def draw(count: int):
    """Poses, betas and translations of people, and their vertices [N, V, 3]."""
    rng = np.random.default_rng(count)
    people = [(draw_pose(rng), 0.5 * rng.normal(size=10), rng.normal(size=3)) for _ in range(count)]
    return people, np.stack([pose_vertices(soft_body(), pose, betas) + shift for pose, betas, shift in people])


def test_vertices_whose_place_a_pixel_names_count_more(fits):
    atlas = front_and_back()
    behind = atlas.face_texcoords.max(1) >= len(atlas.vertices)
    front_alone = np.setdiff1d(atlas.faces[~behind], atlas.faces[behind])
    back_alone = np.setdiff1d(atlas.faces[behind], atlas.faces[~behind])
    seam = np.intersect1d(atlas.faces[behind], atlas.faces[~behind])
    for iuv, seen, unseen in (
        (iuv_of((0, 0.45)), front_alone, back_alone),
        (iuv_of((0.55, 1)), back_alone, front_alone),
    ):
        confidence = fits.confidence(iuv)
        assert (confidence[seen] == 1).all() and (confidence[unseen] == UNSEEN_CONFIDENCE).all()
        assert (confidence[seam] == 1).all()  # it is seen from both sides
    assert (fits.confidence(iuv_of((0, 1), mask=0.5)) == UNSEEN_CONFIDENCE).all()  # background


def test_places_far_from_all_pixels_do_not_count(fits):
    iuv = iuv_of((0, 0.45))
    iuv[2] = iuv[2] * 0.5  # the lower half of the body
    confidence = fits.confidence(iuv)
    heights = front_and_back().vertices[:, 1]
    middle = heights.min() + np.ptp(heights) * 0.5
    assert (confidence[heights > middle + 0.03 * np.ptp(heights)] == UNSEEN_CONFIDENCE).all()
    assert (confidence[heights < middle] == 1).mean() > 0.4


def test_most_vertices_that_the_camera_sees_count_and_few_others(data_root):
    """On the true IUV images of generated people; rays say what is seen. docs/reconstruction.md has the figures."""
    model, atlas = load_body_model(config.SMPL_FILE), read_obj(config.atlas_template("BF"))
    fits, rng, shares = BodyFits(model, atlas), np.random.default_rng(0), []
    for _ in range(12):
        betas = rng.normal(size=10)
        pose = sample_pose(rng, model, betas).pose.copy()
        pose[:3] = (
            Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_euler("y", rng.uniform(0, 360), True)
        ).as_rotvec()
        vertices = pose_vertices(model, pose, betas)
        vertices -= (vertices.min(0) + vertices.max(0)) / 2
        renderer, normals = Renderer(vertices, atlas.faces), vertex_normals(vertices, atlas.faces)
        visible = renderer.visible_from(vertices + 2e-3 * normals, np.array([0, 0, -1.0])) & (normals[:, 2] < 0)
        hits = renderer.cast(OrthographicCamera(0.9 / np.abs(vertices[:, :2]).max(), (0.0, 0.0)), 56, 56, 1)
        iuv = np.zeros((3, 56, 56))
        iuv[0], iuv[1:, hits.mask] = hits.mask, hits.interpolate(atlas.face_uv()).T
        seen = fits.confidence(iuv) == 1
        shares.append((seen[visible].mean(), seen[~visible].mean()))
    found, mistaken = np.mean(shares, axis=0)
    assert found == pytest.approx(0.83, abs=0.03) and mistaken == pytest.approx(0.13, abs=0.03)


def test_a_true_mesh_gives_its_body_back(fits):
    people, vertices = draw(3)
    for body, (pose, betas, shift), true in zip(fits(vertices, np.stack([iuv_of((0, 1))] * 3)), people, vertices,
                                                strict=True):  # fmt: skip
        assert np.linalg.norm(body.vertices - true, axis=1).max() < 1e-3
        own = pose_vertices(soft_body(), body.pose, body.betas) + body.translation
        np.testing.assert_allclose(body.vertices, own, atol=1e-9)
        np.testing.assert_allclose(body.joints, pose_joints(soft_body(), pose, betas) + shift, atol=2e-3)


def test_errors_of_hidden_vertices_harm_less_than_those_of_visible_ones(fits):
    (_, vertices), iuv = draw(4), iuv_of((0, 0.45))
    hidden = fits.confidence(iuv) < 1
    fields = smooth_fields(soft_body().v_template, np.random.default_rng(0), 4, length=0.3)
    disturbed = vertices + 0.04 * np.moveaxis(fields, 2, 0) * hidden[:, None]
    errors = [
        np.mean([np.linalg.norm(body.vertices - true, axis=1).mean()
                 for body, true in zip(fits(disturbed, np.stack([shown] * 4)), vertices, strict=True)])
        for shown in (iuv, iuv_of((0, 1)))
    ]  # fmt: skip
    assert errors[0] < 0.9 * errors[1]


def test_meshes_that_cannot_be_fitted_leave_the_others_as_they_are(fits):
    _, vertices = draw(4)
    images = np.stack([iuv_of((0, 0.45))] * 4)
    alone = fits(vertices[[0, 3]], images[[0, 3]])
    vertices[1, 7, 0] = np.nan
    vertices[2] *= 1e3
    first, bad, huge, last = fits(vertices, images)
    assert isinstance(bad, UserError) and str(bad) == "has vertices that are not finite; leave it out."
    assert isinstance(huge, UserError) and str(huge).startswith("is larger than 100 m")
    for found, expected in zip((first, last), alone, strict=True):
        assert isinstance(found, FittedBody) and isinstance(expected, FittedBody)
        np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-6)


def test_a_body_model_of_another_mesh_is_refused():
    with pytest.raises(UserError, match="vertices, the atlas"):
        BodyFits(part_of(soft_body(), np.arange(1000)), front_and_back())
