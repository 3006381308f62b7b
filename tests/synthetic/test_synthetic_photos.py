"""The synthetic UP-3D: reproducible, in the raw format, never over other data, annotations that fit the pixels."""

import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from datasets.preprocess.samples import BOX_MARGIN
from synthetic import generate, stages
from synthetic.photographs import photos, poses
from synthetic.photographs.clothing_painting import suit_colours
from synthetic.photographs.framing import sample_sitter
from synthetic.photographs.key_poses import KEY_POSES
from tests.helpers.jointed_doll import PAIRS, write_doll, write_empty_atlases
from tests.helpers.nothing_worn import nothing_worn
from utils import config
from utils.array_files.pickles import load_pickle
from utils.body_model import pose_vertices
from utils.errors import UserError

NUM_TRAIN, NUM_TEST = 4, 2


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setattr(generate, "write_body", write_doll)
    monkeypatch.setattr(generate, "write_atlases", write_empty_atlases)
    before = config.data_root()
    yield
    config.set_data_root(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root made once by one worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "write_body", write_doll)
        patch.setattr(generate, "write_atlases", write_empty_atlases)
        # put back here: `stand_ins` of the first test runs after this, and would take this root for the one before
        patch.setattr(config, "_root", tmp_path_factory.mktemp("one") / "root")
        generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=1)
        return config.data_root()


@pytest.fixture
def stage(root):
    config.set_data_root(root)
    return stages.open_stage(stages.Collection())


def content_of(root) -> dict:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_number_of_workers_does_not_change_a_byte(root, tmp_path):
    config.set_data_root(tmp_path / "two")
    generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=2)
    assert content_of(tmp_path / "two") == content_of(root)


def test_a_second_run_writes_nothing_and_a_damaged_set_is_completed(root):
    config.set_data_root(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=2)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    expected = content_of(root)
    (root / "up-3d" / "00002_joints.npy").unlink()
    generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=1)
    assert content_of(root) == expected


def test_another_seed_is_refused_in_the_same_root_and_gives_other_images(root, stage):
    with pytest.raises(UserError, match="another seed"):
        generate.generate(NUM_TRAIN, NUM_TEST, seed=4, workers=1)
    images = [photos.take_photo(stage, seed, 0).image for seed in (3, 4)]
    assert images[0].shape != images[1].shape or not np.array_equal(*images)


def test_other_clothing_is_refused_in_the_same_root(root):
    config.set_data_root(root)
    with pytest.raises(UserError, match="clothing"):
        generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=1, clothing="suit")


def test_a_suit_gives_every_place_on_the_body_its_colour(stage):
    rest = stage.rest
    colours = suit_colours(rest, stage.landmarks)
    assert np.all((colours > 0) & (colours < 1))
    left, right = rest[:, 0] > 0.05, rest[:, 0] < -0.05
    assert colours[left, 0].min() > colours[right, 0].max()
    order = np.argsort(rest[:, 1])
    assert np.all(np.diff(colours[order, 1]) >= 0)
    order = np.argsort(rest[:, 2])
    assert np.all(np.diff(colours[order, 2]) >= 0)
    # the suit changes the person's colours, not pose, place or annotations
    street, suit = photos.take_photo(stage, 3, 0), photos.take_photo(replace(stage, clothing="suit"), 3, 0)
    np.testing.assert_array_equal(street.body["pose"], suit.body["pose"])
    np.testing.assert_array_equal(street.joints[:2], suit.joints[:2])
    assert not np.array_equal(street.image, suit.image)


def test_other_crops_are_refused_in_the_same_root(root):
    config.set_data_root(root)
    with pytest.raises(UserError, match="img_res"):
        generate.generate(NUM_TRAIN, NUM_TEST, seed=3, workers=1, img_res=128)


@pytest.mark.parametrize("img_res", [64, 128, 224])
def test_the_crop_of_a_person_has_about_as_many_pixels_in_the_photograph_as_the_network_gets(stage, img_res):
    rng = np.random.default_rng(5)
    sides = []
    for _ in range(40):
        sitter = sample_sitter(rng, stage.model, img_res)
        view = sitter.view
        pixels = view.camera.project(sitter.vertices, view.height, view.width)
        sides.append(BOX_MARGIN * np.ptp(pixels, axis=0).max() / img_res)
    assert 1.05 < np.mean(sides) < 1.25 and np.quantile(sides, 0.1) > 0.75


def test_data_of_another_origin_is_left_alone(tmp_path):
    (tmp_path / "up-3d").mkdir()
    (tmp_path / "up-3d" / "00000_image.png").write_bytes(b"a real photograph")
    config.set_data_root(tmp_path)
    with pytest.raises(UserError, match="up-3d"):
        generate.generate(NUM_TRAIN, NUM_TEST)
    assert content_of(tmp_path) == {"up-3d/00000_image.png": b"a real photograph"}


def test_lists_name_the_images_and_keep_test_apart_from_training(root):
    def names(path):
        return path.read_text().splitlines()

    folder = root / "up-3d"
    trainval, test = names(folder / "trainval.txt"), names(folder / "test.txt")
    assert trainval == [f"/{index:05d}_image.png" for index in range(NUM_TRAIN)]
    assert sorted(names(folder / "train.txt") + names(folder / "val.txt")) == trainval
    assert names(root / "namesUPlsp.txt") == test and len(test) == NUM_TEST
    assert not set(test) & set(trainval)
    assert all((folder / name[1:]).is_file() for name in trainval + test)


def test_samples_have_the_types_and_shapes_of_up_3d(root):
    for path in (root / "up-3d").glob("*_image.png"):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        body = load_pickle(str(path).replace("image.png", "body.pkl"))
        shapes = {"pose": (72,), "betas": (10,), "t": (3,), "rt": (3,), "f": (), "trans": (3,)}
        assert {name: np.shape(value) for name, value in body.items()} == shapes
        assert body["f"] == 1000 and not body["rt"].any() and not body["trans"].any()
        assert np.abs(body["betas"]).max() <= 2
        joints = np.load(str(path).replace("image.png", "joints.npy"))
        assert joints.shape == (3, 14) and set(np.unique(joints[2])) <= {0, 1} and joints[2].sum() >= 2


def test_joints_are_the_lsp_joints_of_the_posed_body_seen_by_its_camera(root, stage):
    lsp = np.load(root / "smpl2lsp_j_regressor_nt_v2.npy").T.astype(float)
    for index in range(NUM_TRAIN):
        body = load_pickle(root / "up-3d" / f"{index:05d}_body.pkl")
        height, width = cv2.imread(str(root / "up-3d" / f"{index:05d}_image.png")).shape[:2]
        x, y, z = (lsp @ pose_vertices(stage.model, body["pose"], body["betas"]) + body["t"]).T
        expected = np.stack([1000 * x / z + width / 2, 1000 * y / z + height / 2])
        joints = np.load(root / "up-3d" / f"{index:05d}_joints.npy")
        np.testing.assert_allclose(joints[:2], expected, atol=1e-6)
        outside = (expected < 0).any(0) | (expected[0] > width - 1) | (expected[1] > height - 1)
        assert not joints[2][outside].any()


def test_the_person_is_where_the_written_camera_puts_the_mesh(stage, monkeypatch):
    """Paint a person without hair and clothes white in a black world: the bright pixels are the projected triangles."""
    monkeypatch.setattr(photos, "make_attire", nothing_worn)
    monkeypatch.setattr(photos, "OBSTACLE_SHARE", 0.0)
    monkeypatch.setattr(photos, "sample_things", lambda *args: [])
    monkeypatch.setattr(photos, "light_backdrop", lambda backdrop, *args: np.zeros_like(backdrop.colour))
    monkeypatch.setattr(photos, "develop", lambda linear, rng: linear)
    shine = photos.light_foreground

    def white(*args):
        coverage = shine(*args)[1]
        return np.repeat(coverage, 3, 2), coverage

    monkeypatch.setattr(photos, "light_foreground", white)
    stage = replace(stage, img_res=300)
    for index in range(3):
        photo = photos.take_photo(stage, 11, index)
        height, width = photo.image.shape[:2]
        vertices = pose_vertices(stage.model, photo.body["pose"], photo.body["betas"]) + photo.body["t"]
        pixels = 1000 * vertices[:, :2] / vertices[:, 2:] + [width / 2, height / 2]
        # drawn eight times finer; pixel p covers [p - 0.5, p + 0.5]
        drawn = np.zeros((8 * height, 8 * width), np.uint8)
        for triangle in np.rint(8 * (pixels + 0.5) - 0.5).astype(np.int32)[stage.model.faces]:
            cv2.fillConvexPoly(drawn, triangle, 255)
        drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA) > 127
        seen = photo.image[..., 0] > 0.5
        assert (seen & drawn).sum() > 0.96 * (seen | drawn).sum()


def test_key_poses_lie_within_the_joint_limits():
    for key in KEY_POSES:
        for name, angle in zip(poses.PARAMETERS, poses.parameters_of(key), strict=True):
            low, high = poses.LIMITS[name]
            assert low <= angle <= high, (key.name, name, angle)


def test_sampled_poses_respect_the_joint_limits(stage):
    """Knees and elbows are read back from the rotations: hinges that bend one way only."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        sampled = poses.sample_pose(rng, stage.model, np.zeros(10))
        for name, angle in zip(poses.PARAMETERS, sampled.parameters, strict=True):
            assert poses.LIMITS[name][0] <= angle <= poses.LIMITS[name][1], name
        turns = np.degrees(sampled.pose.reshape(24, 3))
        assert not sampled.pose[:3].any()
        assert (turns[[4, 5], 0] >= -1e-6).all() and (turns[[4, 5], 0] <= 132 + 1e-6).all()
        np.testing.assert_allclose(turns[[4, 5], 1:], 0, atol=1e-6)
        for elbow, inwards in ((18, -1), (19, 1)):
            # where the forearm, straight out at rest, points after the elbow has turned
            forearm = Rotation.from_rotvec(np.radians(turns[elbow])).apply([-inwards, 0, 0])
            assert forearm[2] >= -1e-9 and -inwards * forearm[0] >= np.cos(np.radians(138)) - 1e-9
        spine = Rotation.from_rotvec(np.radians(turns[[3, 6, 9]]))
        assert np.degrees((spine[0] * spine[1] * spine[2]).magnitude()) < 78


def test_a_mirrored_pose_is_the_mirror_image_of_the_body(stage):
    joints, _ = poses.rest_skeleton(stage.model, np.zeros(10))
    swap = np.arange(24)
    for left, right in PAIRS:
        swap[[left, right]] = right, left
    for key in KEY_POSES:
        parameters = poses.parameters_of(key)
        placed, mirrored = (
            poses.forward_kinematics(poses.axis_angles(angles), joints, stage.model.parents)
            for angles in (parameters, poses.mirror(parameters))
        )
        np.testing.assert_allclose(mirrored, placed[swap] * [-1, 1, 1], atol=1e-9, err_msg=key.name)


def test_hands_stay_out_of_the_trunk(stage):
    """A hand pushed into the belly is noticed, and drawn poses are free of it."""
    joints, radii = poses.rest_skeleton(stage.model, np.zeros(10))
    inside = joints.copy()
    inside[[20, 22]] = joints[3]
    assert poses.self_overlap(joints, radii) < 0.01 < 0.05 < poses.self_overlap(inside, radii)
    rng = np.random.default_rng(1)
    overlaps = []
    for _ in range(30):
        sampled = poses.sample_pose(rng, stage.model, np.zeros(10))
        placed = poses.forward_kinematics(sampled.pose, joints, stage.model.parents)
        overlaps.append(poses.self_overlap(placed, radii))
    assert np.mean(np.array(overlaps) <= poses.TOLERANCE) > 0.9


def test_people_fill_the_image_and_mostly_face_the_camera(stage):
    rng = np.random.default_rng(2)
    facing, fills = [], []
    for _ in range(60):
        sitter = sample_sitter(rng, stage.model)
        facing.append(Rotation.from_rotvec(sitter.pose[:3]).apply([0, 0, 1])[2] < 0)
        view = sitter.view
        pixels = view.camera.project(sitter.vertices, view.height, view.width)
        fills.append(max(np.ptp(pixels, axis=0) / [view.width, view.height]))
        middle = (pixels.min(0) + pixels.max(0)) / 2 / [view.width, view.height]
        assert (np.abs(middle - 0.5) < 0.2).all()
    assert np.mean(facing) > 0.6
    assert np.mean((np.array(fills) > 0.54) & (np.array(fills) < 0.92)) > 0.85


def test_impossible_settings_are_explained(tmp_path):
    config.set_data_root(tmp_path / "none")
    with warnings.catch_warnings(), pytest.raises(UserError, match="--num_train"):
        generate.generate(0, 5)
    with pytest.raises(UserError, match="--img_res is 5, expected 32 to 1024"):
        generate.generate(2, 2, img_res=5)
    assert not (tmp_path / "none").exists()
