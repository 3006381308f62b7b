"""Cameras, crop and augmentation: an augmented sample is the sample of an augmented body."""

import numpy as np
import pytest

from tests.helpers.tiny_up3d import write_body
from utils import config, imutils
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import (
    CameraFitError,
    fit_weak_perspective,
    from_image_units,
    normalise_pixels,
    perspective_from_weak,
    project_weak,
    to_image_units,
)
from utils.imutils import Augmentation
from utils.joints import SMPL_FLIP, TRAINING_FLIP
from utils.rotations import rotation_matrices

SIZE = 224
CENTRE, SCALE = np.array([171.3, 140.8]), 1.37
AUGMENTATIONS = {
    "nothing": Augmentation(),
    "flip": Augmentation(flip=True),
    "rotation": Augmentation(rotation=37.0),
    "scale": Augmentation(scale=0.8),
    "everything": Augmentation(flip=True, rotation=-52.0, scale=1.2),
}


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    root = tmp_path_factory.mktemp("body")
    write_body(root)
    model = load_body_model(root / config.SMPL_FILE.name)
    return model, load_joint_regressors(root, model)


def crop_units(keypoints: np.ndarray) -> np.ndarray:
    return normalise_pixels(keypoints[:, :2], SIZE)


# ---- cameras ----


def test_the_fit_recovers_a_known_camera():
    rng = np.random.default_rng(0)
    points, camera = rng.normal(size=(14, 3)), np.array([0.83, 0.12, -0.4])
    found = fit_weak_perspective(points, project_weak(points, camera), np.ones(14))
    assert np.allclose(found, camera, atol=1e-12)


def test_the_fit_is_the_least_squares_optimum_over_visible_joints():
    rng = np.random.default_rng(1)
    points, targets = rng.normal(size=(14, 3)), rng.normal(size=(14, 2)) + rng.normal(size=(1, 2))
    targets += 1.5 * points[:, :2]
    visible = rng.uniform(size=14) > 0.3
    # (s, s tx, s ty) enter linearly: an independent solution by numpy's solver
    rows = np.zeros((visible.sum(), 2, 3))
    rows[:, :, 0] = points[visible, :2]
    rows[:, 0, 1] = rows[:, 1, 2] = 1
    linear = np.linalg.lstsq(rows.reshape(-1, 3), targets[visible].ravel(), rcond=None)[0]
    found = fit_weak_perspective(points, targets, visible)
    assert np.allclose(found, [linear[0], linear[1] / linear[0], linear[2] / linear[0]])


@pytest.mark.parametrize("visible", [np.zeros(14), np.eye(14)[3]])
def test_fewer_than_two_visible_joints_fit_no_camera(visible):
    with pytest.raises(CameraFitError, match="at least 2"):
        fit_weak_perspective(np.ones((14, 3)), np.ones((14, 2)), visible)


def test_coinciding_joints_fit_no_camera():
    with pytest.raises(CameraFitError):
        fit_weak_perspective(np.ones((14, 3)), np.ones((14, 2)), np.ones(14))


def test_the_drawing_camera_agrees_with_weak_perspective_at_depth_zero():
    rng = np.random.default_rng(2)
    points, weak = rng.normal(size=(20, 3)) * (1, 1, 0), np.array([0.7, 0.2, -0.1])
    drawn = perspective_from_weak(weak, 300, 400).project(points, 300, 400)
    assert np.allclose(drawn, from_image_units(project_weak(points, weak), 300, 400), atol=1e-5)


def test_pixels_of_an_image_are_found_again_from_image_units():
    points = np.random.default_rng(3).uniform(-50, 500, (30, 2))
    assert np.allclose(from_image_units(to_image_units(points, 300, 400), 300, 400), points)


# ---- crop ----


def test_crop_follows_the_formula_without_rounding():
    x = CENTRE + (0.25, -33.3)
    expected = 224 * (x - CENTRE) / (200 * SCALE) + 112
    matrix = imutils.crop_matrix(CENTRE, SCALE, SIZE, Augmentation())
    assert np.allclose(imutils.apply_affine(matrix, x[None])[0], expected, atol=1e-12)


def blob(points: np.ndarray, height: int, width: int, spread: float) -> np.ndarray:
    """Image [H, W, 3] uint8, black with soft bright spots at points [N, 2] px."""
    y, x = np.mgrid[:height, :width]
    image = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * spread**2)) for px, py in points)
    return np.repeat((255 * np.clip(image, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


def centroid(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("scale", [1.37, 7.0])  # enlarged a little; shrunk six times, through averaged blocks
def test_pixels_and_keypoints_take_the_same_way(name, scale):
    centre, point = np.array([701.3, 640.8]), np.array([[720.4, 610.2]])
    image = blob(point, 1300, 1400, spread=4 * scale)
    matrix = imutils.crop_matrix(centre, scale, SIZE, AUGMENTATIONS[name])
    crop = imutils.warp_image(image, matrix, SIZE)
    assert np.abs(centroid(crop) - imutils.apply_affine(matrix, point)[0]).max() < 0.05


def test_a_fine_pattern_shrinks_to_grey_not_to_noise():
    checks = np.indices((900, 900)).sum(axis=0) % 2 * 255
    image = np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)
    matrix = imutils.crop_matrix(np.array([450.0, 450.0]), 3.5, SIZE, Augmentation())
    crop = imutils.warp_image(image, matrix, SIZE)
    # blocks of 3 x 3 hold 4 or 5 white pixels; single pixels would be 0 or 255
    assert np.abs(crop[20:-20, 20:-20].astype(float) - 127.5).max() < 16


# ---- augmentation ----


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_projecting_the_augmented_body_gives_the_augmented_projection(name, body):
    """Pose, 3-D joints, camera and 2-D keypoints of an augmentation belong together."""
    model, regressors = body
    augmentation, rng = AUGMENTATIONS[name], np.random.default_rng(4)
    pose, betas = rng.normal(size=72) * 0.3, rng.normal(size=10)
    pose[:3] = (np.pi - 0.2, 0.1, 0.3)
    joints = regressors.smpl(pose_vertices(model, pose, betas))
    camera = np.array([0.8, 0.05, -0.1])  # in crop units

    pixels = CENTRE + 200 * SCALE / 2 * project_weak(joints, camera)  # half a side of the crop is 1
    keypoints = np.concatenate([pixels, np.ones((24, 1))], axis=1)
    matrix = imutils.crop_matrix(CENTRE, SCALE, SIZE, augmentation)
    moved = imutils.transform_keypoints(keypoints, matrix, augmentation.flip, SMPL_FLIP)

    moved_joints = imutils.transform_joints(joints, augmentation, SMPL_FLIP)
    moved_shift = imutils.plane_transform(augmentation) @ camera[1:]
    moved_camera = np.array([camera[0] / augmentation.scale, *moved_shift])
    assert np.allclose(crop_units(moved), project_weak(moved_joints, moved_camera), atol=1e-9)


@pytest.mark.parametrize("degrees", [-52.0, 20.0, 60.0])
def test_rotating_the_root_turns_every_vertex_in_the_image_plane(degrees, body):
    model, _ = body
    rng = np.random.default_rng(5)
    pose, betas = rng.normal(size=72) * 0.3, rng.normal(size=10)
    turned = imutils.transform_pose(pose, Augmentation(rotation=degrees))
    turn = np.eye(3)
    turn[:2, :2] = imutils.rotation_2d(degrees)
    pelvis = model.joint_regressor[0] @ (model.v_template + model.shapedirs @ betas)  # the root turns about it
    expected = (pose_vertices(model, pose, betas) - pelvis) @ turn.T + pelvis
    assert np.allclose(pose_vertices(model, turned, betas), expected, atol=1e-9)


def test_a_flipped_pose_mirrors_every_rotation():
    pose = np.random.default_rng(6).normal(size=72)
    mirror = np.diag([-1.0, 1, 1])
    original = rotation_matrices(pose.reshape(24, 3))
    flipped = rotation_matrices(imutils.flip_pose(pose).reshape(24, 3))
    assert np.allclose(flipped, mirror @ original[SMPL_FLIP] @ mirror)


def test_flipping_twice_is_the_identity():
    rng = np.random.default_rng(7)
    flip = Augmentation(flip=True)
    pose, joints = rng.normal(size=72), rng.normal(size=(24, 4))
    keypoints = np.concatenate([rng.uniform(0, SIZE, (24, 2)), np.ones((24, 1))], axis=1)
    iuv = rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    iuv[..., 0] = rng.integers(0, 2, (SIZE, SIZE))
    matrix = imutils.crop_matrix(np.full(2, SIZE / 2), SIZE / 200, SIZE, flip)  # the crop is the image itself

    def twice(function, value):
        return function(function(value))

    assert np.allclose(twice(imutils.flip_pose, pose), pose)
    for permutation in (TRAINING_FLIP, SMPL_FLIP):
        assert np.allclose(twice(lambda x, p=permutation: imutils.transform_joints(x, flip, p), joints), joints)
        moved = twice(lambda x, p=permutation: imutils.transform_keypoints(x, matrix, True, p), keypoints)
        assert np.allclose(moved, keypoints)
    back = twice(lambda x: imutils.warp_iuv(x, matrix, SIZE, True), iuv)
    assert (back[:, 1:] == iuv[:, 1:]).all()  # column 0 leaves the crop: the mirror axis is at size / 2


def test_a_flip_mirrors_u_inside_the_mask_only():
    iuv = np.zeros((2, 2, 3), np.uint8)
    iuv[0, 0] = (1, 40, 90)
    mirrored = imutils.mirror_iuv_labels(iuv)
    assert mirrored[0, 0].tolist() == [1, 215, 90]
    assert not mirrored[1].any()


def test_draws_stay_in_their_ranges_and_have_the_stated_shares():
    rng = np.random.default_rng(8)
    draws = [imutils.sample_augmentation(rng) for _ in range(4000)]
    rotation = np.array([draw.rotation for draw in draws])
    noise = np.array([draw.noise for draw in draws])
    scale = np.array([draw.scale for draw in draws])
    assert np.mean([draw.flip for draw in draws]) == pytest.approx(0.5, abs=0.03)
    assert np.mean(rotation == 0) == pytest.approx(0.6, abs=0.03)
    assert np.abs(rotation).max() == 60
    assert rotation[np.abs(rotation) > 0].std() == pytest.approx(0.959 * 30, abs=1.5)  # clipped at 2 sigma
    assert 0.6 <= noise.min() < 0.61
    assert 1.39 < noise.max() <= 1.4
    assert (scale.min(), scale.max()) == (0.75, 1.25)


def test_options_switch_their_part_of_the_augmentation_off_and_leave_the_rest():
    full = imutils.sample_augmentation(np.random.default_rng(11))
    plain = imutils.sample_augmentation(np.random.default_rng(11), flip=False, colour=False)
    assert not plain.flip
    assert plain.noise == (1.0, 1.0, 1.0)
    assert (plain.rotation, plain.scale) == (full.rotation, full.scale)


def test_colour_noise_multiplies_channels_and_clips():
    image = np.full((3, 2, 2), 200, np.uint8)
    noisy = imutils.colour_noise(image, (0.5, 1.0, 1.4))
    assert np.allclose(noisy[:, 0, 0], [100 / 255, 200 / 255, 1.0])
