"""Body model files and skinning, against a slow computation that shares no code with it."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.transform import Rotation

from tests.helpers.tiny_up3d import PARENTS, write_body
from utils import config
from utils.body_model import (
    load_body_model,
    load_joint_regressors,
    load_model_of_gender,
    pose_vertices,
)
from utils.errors import UserError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "uv_sampler").mkdir()
    write_body(tmp_path)
    return tmp_path


@pytest.fixture
def change(root):
    """Rewrite the neutral model with other arrays; None takes an array out."""

    def rewrite(**arrays):
        path = root / config.SMPL_FILE.name
        content = pickle.loads(path.read_bytes()) | arrays
        path.write_bytes(pickle.dumps({key: value for key, value in content.items() if value is not None}, 2))
        return path

    return rewrite


def slow_skinning(content: dict, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """SMPL as its paper writes it: 4 x 4 transforms along the tree, one vertex after the other."""
    rotations = Rotation.from_rotvec(pose.reshape(24, 3)).as_matrix()
    shaped = np.zeros_like(content["v_template"])
    for vertex in range(len(shaped)):
        shaped[vertex] = content["v_template"][vertex] + sum(
            beta * content["shapedirs"][vertex, :, index] for index, beta in enumerate(betas)
        )
    joints = content["J_regressor"].toarray() @ shaped
    pose_feature = np.concatenate([(rotation - np.eye(3)).reshape(9) for rotation in rotations[1:]])

    def world(joint: int) -> np.ndarray:
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        if joint == 0:
            local[:3, 3] = joints[0]
            return local
        local[:3, 3] = joints[joint] - joints[PARENTS[joint]]
        return world(PARENTS[joint]) @ local

    transforms = []
    for joint in range(24):
        to_joint = np.eye(4)
        to_joint[:3, 3] = -joints[joint]
        transforms.append(world(joint) @ to_joint)
    result = np.zeros_like(shaped)
    for vertex, rest in enumerate(shaped):
        corrected = np.append(rest + content["posedirs"][vertex] @ pose_feature, 1)
        for joint in range(24):
            result[vertex] += content["weights"][vertex, joint] * (transforms[joint] @ corrected)[:3]
    return result


@pytest.mark.parametrize("seed", range(3))
def test_skinning_equals_a_slow_independent_computation(root, seed):
    rng = np.random.default_rng(seed)
    pose, betas = rng.normal(size=72), 3 * rng.normal(size=10)
    content = pickle.loads((root / config.SMPL_FILE.name).read_bytes())
    found = pose_vertices(load_body_model(root / config.SMPL_FILE.name), pose, betas)
    np.testing.assert_allclose(found, slow_skinning(content, pose, betas), atol=1e-12)


def test_at_rest_the_body_is_its_template(root):
    model = load_body_model(root / config.SMPL_FILE.name)
    np.testing.assert_allclose(pose_vertices(model, np.zeros(72), np.zeros(10)), model.v_template, atol=1e-15)


# ---- files ----


def test_the_root_has_no_parent_whatever_the_file_writes_there(change):
    for first in (4294967295, 0):
        table = np.array([[first, *PARENTS[1:]], range(24)], np.uint32)
        assert load_body_model(change(kintree_table=table)).parents.tolist() == [-1, *PARENTS[1:]]


def test_of_300_shape_directions_the_first_10_are_used(change):
    shapedirs = np.random.default_rng(0).normal(size=(642, 3, 300))
    model = load_body_model(change(shapedirs=shapedirs))
    np.testing.assert_array_equal(model.shapedirs, shapedirs[..., :10])


def test_a_dense_regressor_is_as_good_as_a_sparse_one(root, change):
    sparse = load_body_model(root / config.SMPL_FILE.name).joint_regressor
    np.testing.assert_array_equal(load_body_model(change(J_regressor=sparse)).joint_regressor, sparse)


def same_model(first, second) -> bool:
    return all(np.array_equal(getattr(first, name), value) for name, value in vars(second).items())


@pytest.mark.parametrize(
    "name",
    ["basicModel_neutral_lbs_10_207_0_v1.0.0.pkl", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", "SMPL_NEUTRAL.pkl"],
)
def test_other_known_names_are_found(root, name):
    path = root / config.SMPL_FILE.name
    expected = load_body_model(path)
    path.rename(path.with_name(name))
    assert same_model(load_body_model(path), expected)
    assert config.body_model_file(config.MALE_SMPL_FILE) == config.MALE_SMPL_FILE  # this is another body


@pytest.mark.parametrize("sparse", [True, False])
def test_a_model_may_be_an_npz(root, sparse):
    path = root / config.SMPL_FILE.name
    expected, content = load_body_model(path), pickle.loads(path.read_bytes())
    if not sparse:
        content["J_regressor"] = content["J_regressor"].toarray()
    content["shapedirs"] = np.concatenate([content["shapedirs"], np.ones((642, 3, 290))], axis=2)
    np.savez(root / "SMPL_NEUTRAL.npz", **content)
    path.unlink()
    assert same_model(load_body_model(path), expected)


def test_each_gender_has_its_own_file_read_once(root, monkeypatch):
    monkeypatch.setattr(config, "_root", root)
    content = pickle.loads((root / config.SMPL_FILE.name).read_bytes())
    for size, path in ((2, config.MALE_SMPL_FILE), (3, config.FEMALE_SMPL_FILE)):
        path.write_bytes(pickle.dumps(content | {"v_template": size * content["v_template"]}, 2))
    for gender, size in ((-1, 1), (0, 2), (1, 3)):
        np.testing.assert_array_equal(load_model_of_gender(gender).v_template, size * content["v_template"])
    assert load_model_of_gender(1) is load_model_of_gender(1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": None, "f": None}, "is not an SMPL model: it has no weights, f"),
        ({"weights": np.zeros((642, 52))}, r"weights has shape \(642, 52\), expected \(642, 24\)"),
        ({"posedirs": np.zeros((642, 3, 459))}, r"posedirs has shape \(642, 3, 459\), expected \(642, 3, 207\)"),
        ({"shapedirs": np.zeros((642, 3, 8))}, r"shapedirs has shape \(642, 3, 8\), expected \(642, 3, 10\)"),
        ({"v_template": np.zeros((700, 3))}, r"has shape .*\(642.* expected \(700"),
        ({"J_regressor": scipy.sparse.csc_matrix((24, 6890))}, r"joint_regressor has shape \(24, 6890\)"),
        ({"f": np.full((4, 3), 642, np.uint32)}, "a triangle names vertex 642, but there are 642 vertices"),
        ({"f": np.zeros((4, 4), np.uint32)}, r"faces has shape \(4, 4\), expected \(4, 3\)"),
        ({"kintree_table": np.zeros((2, 52), np.uint32)}, r"parents has shape \(52,\), expected \(24,\)"),
    ],
)
def test_arrays_that_are_missing_or_of_another_shape_are_named(change, arrays, message):
    with pytest.raises(UserError, match=message):
        load_body_model(change(**arrays))


def test_a_missing_model_says_where_to_read_on(tmp_path):
    with pytest.raises(UserError, match=r"neutral.* does not exist.*data/README.md"):
        load_body_model(tmp_path / config.SMPL_FILE.name)


# ---- joints ----


def test_training_joints_are_rows_of_both_regressors_in_the_published_order(root):
    regressors = load_joint_regressors(root)
    model = load_body_model(root / config.SMPL_FILE.name)
    extra = np.load(root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name)
    vertices = np.random.default_rng(0).normal(size=(642, 3))
    joints = regressors.joints(vertices)
    np.testing.assert_allclose(joints[0], (model.joint_regressor @ vertices)[8])  # right ankle
    np.testing.assert_allclose(joints[2], (extra @ vertices)[29 - 24])  # right hip
    np.testing.assert_allclose(joints[23], (extra @ vertices)[27 - 24])  # right ear


def test_training_replaces_the_lsp_joints_and_the_head_by_the_lsp_regressor(root):
    regressors = load_joint_regressors(root)
    rows, lsp = regressors.train_rows, np.load(root / config.LSP_REGRESSOR_EVAL.name).T
    np.testing.assert_array_equal(rows[:13], lsp[:13])
    np.testing.assert_array_equal(rows[18], lsp[13])
    untouched = [13, 14, 15, 16, 17, 19, 20, 21, 22, 23]
    np.testing.assert_array_equal(rows[untouched], regressors.joint_rows[untouched])


def test_without_the_lsp_file_the_rows_fall_back_with_one_line(root, capsys):
    (root / config.LSP_REGRESSOR_EVAL.name).unlink()
    regressors = [load_joint_regressors(root) for _ in range(2)]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"warning: {root / config.LSP_REGRESSOR_EVAL.name} is missing" in said
    np.testing.assert_array_equal(regressors[0].lsp_rows, regressors[0].joint_rows[:14])


@pytest.mark.parametrize("name", ["JOINT_REGRESSOR_TRAIN_EXTRA", "LSP_REGRESSOR_EVAL"])
def test_regressors_of_another_body_are_named(root, name):
    path = root / getattr(config, name).name
    np.save(path, np.zeros((14, 6890)))
    with pytest.raises(UserError, match=rf"{path.name} has shape \(14, 6890\), expected 14 rows for 642 vertices"):
        load_joint_regressors(root)
    path.write_bytes(b"not an array")
    with pytest.raises(UserError, match=rf"{path.name} cannot be read as a .npy file of numbers"):
        load_joint_regressors(root)
