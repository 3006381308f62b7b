"""SMPL parameters from meshes: what was posed is found again, and what disturbs the mesh does little harm."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fitting import priors
from fitting.body_fit import BodyFitter, Fit
from fitting.priors import beyond_range
from synthetic.photographs.poses import sample_pose
from tests.helpers.jointed_doll import jointed_doll
from tests.helpers.random_people import mean_distances, noisy, people, random_people, turns_between
from tests.helpers.soft_body import part_of, soft_body
from utils import config
from utils.body_model import BodyModel, load_body_model, pose_vertices
from utils.errors import UserError
from utils.joints import PARENTS, SMPL_JOINTS, indices

LEFT_ARM = indices(("left_shoulder", "left_elbow", "left_wrist", "left_hand"), SMPL_JOINTS)


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return soft_body()


@pytest.fixture(scope="module")
def fitter(model) -> BodyFitter:
    return BodyFitter(model)


def assert_found(fitter, truth, fit, millimetres=0.1, degrees=0.5):
    found = fitter.vertices(fit)
    joints = fitter.model.joint_regressor
    assert mean_distances(found, truth.vertices).max() < millimetres
    assert 1000 * np.linalg.norm(joints @ found - joints @ truth.vertices, axis=-1).max() < 2 * millimetres
    assert turns_between(fit.pose, truth.pose).max() < degrees


def test_true_meshes_give_their_parameters_back(model, fitter):
    truth = random_people(model, 20)
    fit = fitter(truth.vertices)
    assert_found(fitter, truth, fit)
    assert np.abs(fit.betas - truth.betas).max() < 0.1
    assert np.abs(fit.translation - truth.translation).max() < 1e-3


def test_the_vertices_of_a_fit_are_those_of_its_parameters(model, fitter):
    truth = random_people(model, 3, spread=1.0)
    found = fitter.vertices(Fit(truth.pose, truth.betas, truth.translation))
    np.testing.assert_allclose(found, truth.vertices, atol=1e-12)


@pytest.mark.parametrize("name, turn", [
    ("pelvis", (np.pi, 0, 0)), ("pelvis", (0, np.pi, 0)), ("left_shoulder", (0, 0, 1.5)), ("left_knee", (2.5, 0, 0)),
    ("right_elbow", (0, 2.6, 0)), ("right_hip", (-2.4, 0, 0)), ("spine2", (0.8, 0.5, 0)),
])  # fmt: skip
def test_far_poses_are_found(model, fitter, name, turn):
    pose = random_people(model, 1, seed=3, spread=0.1).pose
    pose[0, SMPL_JOINTS.index(name)] = turn
    truth = people(model, pose, np.zeros((1, 10)), np.zeros((1, 3)))
    assert_found(fitter, truth, fitter(truth.vertices))


def test_a_moved_mesh_has_the_same_body_moved(model, fitter):
    vertices = noisy(random_people(model, 4).vertices, model.v_template, length=0.1)
    turn, shift = Rotation.from_rotvec([2.0, -1.0, 0.5]).as_matrix(), np.array([3.0, -2.0, 20.0])
    fit, moved = fitter(vertices), fitter(vertices @ turn.T + shift)
    # not exactly: steps are damped along the axes of the frame, and end when they gain little
    np.testing.assert_allclose(fitter.vertices(moved), fitter.vertices(fit) @ turn.T + shift, atol=1e-3)
    np.testing.assert_allclose(moved.pose[:, 1:], fit.pose[:, 1:], atol=0.05)
    np.testing.assert_allclose(moved.betas, fit.betas, atol=0.05)


def test_a_mesh_is_fitted_alone_as_in_a_batch(model, fitter):
    vertices = noisy(random_people(model, 20).vertices, model.v_template, length=0.1)
    together = fitter(vertices)
    for index in (0, 7, 19):
        alone = fitter(vertices[[index]])
        np.testing.assert_allclose(alone.pose[0], together.pose[index], atol=1e-6)
        np.testing.assert_allclose(alone.betas[0], together.betas[index], atol=1e-6)
        np.testing.assert_allclose(alone.translation[0], together.translation[index], atol=1e-6)


def test_vertices_without_confidence_do_not_move_the_fit(model, fitter):
    truth = random_people(model, 4)
    vertices = noisy(truth.vertices, model.v_template, length=0.1)
    hidden = np.random.default_rng(0).random(vertices.shape[:2]) < 0.4
    wrong = np.where(hidden[..., None], [5.0, 1.0, -3.0], vertices)
    first, second = fitter(vertices, ~hidden), fitter(wrong, ~hidden)
    np.testing.assert_array_equal(first.pose, second.pose)
    np.testing.assert_array_equal(first.betas, second.betas)
    assert mean_distances(fitter.vertices(fitter(wrong)), truth.vertices).min() > 100  # they would


def test_confidence_of_another_scale_says_the_same(model, fitter):
    vertices = noisy(random_people(model, 2).vertices, model.v_template, length=0.1)
    confidence = np.random.default_rng(0).random(vertices.shape[:2])
    np.testing.assert_allclose(fitter(vertices, 50 * confidence).pose, fitter(vertices, confidence).pose, atol=1e-6)


def test_seen_vertices_weigh_more(model, fitter):
    truth = random_people(model, 4)
    vertices = noisy(truth.vertices, model.v_template, length=0.1)
    left = model.weights[:, LEFT_ARM].sum(1) > 0.5
    vertices[:, ~left] = truth.vertices[:, ~left]
    vertices[:, left] += 0.05
    errors = [
        mean_distances(fitter.vertices(fitter(vertices, np.where(left, low, 1) * np.ones((4, 1)))), truth.vertices)
        for low in (1.0, 0.1, 0.01)
    ]
    assert (errors[0] > errors[1]).all() and (errors[1] > errors[2]).all()


def test_a_hidden_arm_continues_the_body_and_leaves_the_rest_alone(model, fitter):
    truth = random_people(model, 4)
    hidden = model.weights[:, LEFT_ARM].sum(1) > 0
    fit = fitter(np.where(hidden[:, None], 9.0, truth.vertices), np.tile(~hidden, (4, 1)))
    assert mean_distances(fitter.vertices(fit)[:, ~hidden], truth.vertices[:, ~hidden]).max() < 0.1
    assert np.abs(fit.pose[:, LEFT_ARM]).max() < 0.05


def test_few_wrong_vertices_do_little(model, fitter):
    truth = random_people(model, 4)
    wrong = np.random.default_rng(0).random(truth.vertices.shape[:2]) < 0.1
    vertices = truth.vertices + wrong[..., None] * np.array([0.4, 0.2, -0.3])
    assert mean_distances(vertices, truth.vertices).min() > 40
    assert mean_distances(fitter.vertices(fitter(vertices)), truth.vertices).max() < 1


def test_a_step_that_leads_away_is_not_taken(model, fitter, monkeypatch):
    """The first step is replaced by a bad one: the next starts where that one did, and is damped more."""
    step, seen = BodyFitter._step, []

    def misled(self, state, damping):
        seen.append((state.betas.copy(), damping.copy()))
        if len(seen) > 1:
            return step(self, state, damping)
        return self._evaluate(state.targets, state.weights, state.rotations, state.betas + 30, state.translation)

    monkeypatch.setattr(BodyFitter, "_step", misled)
    truth = random_people(model, 3)
    assert_found(fitter, truth, fitter(truth.vertices))
    np.testing.assert_array_equal(seen[1][0], seen[0][0])
    assert (seen[1][1] > seen[0][1]).all()


@pytest.mark.parametrize("length, share", [(0.05, 0.65), (0.1, 0.85), (0.15, 0.95)])
def test_a_noisy_mesh_is_farther_from_the_truth_than_its_fit(model, fitter, length, share):
    truth = random_people(model, 16)
    vertices = noisy(truth.vertices, model.v_template, length)
    before = mean_distances(vertices, truth.vertices)
    after = mean_distances(fitter.vertices(fitter(vertices)), truth.vertices)
    assert before.mean() > 25
    assert (after < before).all()
    assert after.mean() < share * before.mean()


def test_ranges_hold_the_joints_of_noisy_meshes(model, fitter, monkeypatch):
    vertices = noisy(random_people(model, 16, spread=0.1).vertices, model.v_template, 0.08, size=0.05)
    held = np.degrees(np.abs(beyond_range(fitter(vertices).pose)))
    monkeypatch.setattr(priors, "RANGE_SPREAD", 100.0)
    free = np.degrees(np.abs(beyond_range(fitter(vertices).pose)))
    assert held.max() < 0.8 * free.max() and held.sum() < 0.8 * free.sum()


def test_natural_poses_are_within_the_ranges(data_root):
    body, rng = load_body_model(config.SMPL_FILE), np.random.default_rng(0)
    poses = np.stack([sample_pose(rng, body, np.zeros(10)).pose for _ in range(40)]).reshape(-1, 24, 3)
    assert np.abs(poses).max() > 1.5
    assert not beyond_range(poses).any()


def test_a_knee_that_bends_forwards_is_beyond_its_range():
    pose = np.zeros((1, 24, 3))
    pose[0, SMPL_JOINTS.index("left_knee")] = [-1, 0, 0]
    pose[0, SMPL_JOINTS.index("left_elbow")] = [0, 1, 0]
    pose[0, SMPL_JOINTS.index("right_elbow")] = [0, 1, 0]  # ahead: within
    assert set(np.argwhere(beyond_range(pose))[:, 1]) == set(indices(("left_knee", "left_elbow"), SMPL_JOINTS))


def test_another_number_of_vertices(model):
    kept = np.random.default_rng(1).permutation(len(model.v_template))[:1100]
    body = part_of(model, kept)
    truth = random_people(body, 6)
    fitter = BodyFitter(body)
    assert_found(fitter, truth, fitter(truth.vertices))


def test_a_doll_of_rigid_parts():
    """Each vertex has one joint, and eight betas change nothing: those stay 0."""
    doll = jointed_doll()
    arrays = {"faces": doll["f"], "joint_regressor": doll["J_regressor"].toarray(), "parents": PARENTS}
    arrays |= {name: doll[name] for name in ("v_template", "shapedirs", "posedirs", "weights")}
    model = BodyModel(**arrays)
    truth = random_people(model, 6)
    fitter = BodyFitter(model)
    fit = fitter(truth.vertices)
    assert_found(fitter, truth, fit)
    assert np.abs(fit.betas[:, :2] - truth.betas[:, :2]).max() < 0.05
    assert not fit.betas[:, 2:].any()


MIRROR, PLANE, LINE, POINT = np.diag([-1.0, 1, 1]), np.diag([1.0, 1, 0]), np.diag([1.0, 0, 0]), np.zeros((3, 3))


@pytest.mark.parametrize("squeeze", [MIRROR, PLANE, LINE, POINT, 1e-9 * np.eye(3), 30 * np.eye(3)])
def test_a_mesh_that_no_body_has_gets_a_finite_fit(model, fitter, squeeze):
    fit = fitter(random_people(model, 3).vertices @ squeeze)
    for values in (fit.pose, fit.betas, fit.translation, fitter.vertices(fit)):
        assert np.isfinite(values).all()
    assert np.linalg.norm(fit.pose, axis=-1).max() <= np.pi + 1e-9


def test_a_mirrored_mesh_is_not_taken_for_a_true_one(model, fitter):
    mirrored = random_people(model, 3).vertices @ MIRROR
    assert mean_distances(fitter.vertices(fitter(mirrored)), mirrored).min() > 20


def test_one_seen_vertex_is_met(model, fitter):
    truth = random_people(model, 2)
    confidence = np.zeros(truth.vertices.shape[:2])
    confidence[:, 100] = 1
    found = fitter.vertices(fitter(truth.vertices, confidence))
    np.testing.assert_allclose(found[:, 100], truth.vertices[:, 100], atol=1e-3)


def test_no_meshes_give_no_fits(model, fitter):
    fit = fitter(np.zeros((0, len(model.v_template), 3)))
    assert fit.pose.shape == (0, 24, 3) and fit.betas.shape == (0, 10) and fit.translation.shape == (0, 3)
    assert fitter.vertices(fit).shape == (0, len(model.v_template), 3)


def test_what_is_no_mesh_ends_in_one_line(model, fitter):
    vertices = np.stack([model.v_template] * 3)
    ones = np.ones(vertices.shape[:2])
    with pytest.raises(UserError, match="vertices have shape .*expected"):
        fitter(vertices[0])
    with pytest.raises(UserError, match="vertices have shape .*expected"):
        fitter(vertices[:, 1:])
    with pytest.raises(UserError, match="confidence has shape"):
        fitter(vertices, ones[0])
    for bad in (np.nan, np.inf):
        broken = vertices.copy()
        broken[1, 5, 2] = bad
        with pytest.raises(UserError, match="^mesh 1 has vertices that are not finite"):
            fitter(broken)
        with pytest.raises(UserError, match="^mesh 1 has confidence"):
            fitter(vertices, np.where([[False], [True], [False]], bad, ones))
    with pytest.raises(UserError, match="^mesh 2 has confidence below 0"):
        fitter(vertices, ones - 2 * (np.arange(3) == 2)[:, None])
    with pytest.raises(UserError, match="^mesh 0 has no vertex with confidence"):
        fitter(vertices, ones * (np.arange(3) > 0)[:, None])
    for scale, shift in ((1000, 0), (1, 1e300)):
        with pytest.raises(UserError, match="^mesh 0 is larger than 100 m or beyond 1e.06 m; give metres"):
            fitter(scale * vertices + shift)


def test_the_generated_body(data_root):
    model = load_body_model(config.SMPL_FILE)
    truth = random_people(model, 8, spread=0.6)
    fitter = BodyFitter(model)
    assert_found(fitter, truth, fitter(truth.vertices))


@pytest.mark.slow
def test_two_hundred_people(data_root):
    """The bars: 0.5 mm at the vertices, 1 mm at the joints, 2 degrees; fits of noisy meshes nearer than these."""
    model = load_body_model(config.SMPL_FILE)
    truth = random_people(model, 200, seed=1)
    fitter = BodyFitter(model)
    fit = fitter(truth.vertices)
    assert_found(fitter, truth, fit, millimetres=0.5, degrees=2)
    vertices = noisy(truth.vertices, model.v_template, length=0.1)
    before = mean_distances(vertices, truth.vertices)
    after = mean_distances(fitter.vertices(fitter(vertices)), truth.vertices)
    assert (after < before).mean() > 0.99 and after.mean() < 0.8 * before.mean()
    single = pose_vertices(model, fit.pose[0], fit.betas[0]) + fit.translation[0]
    np.testing.assert_allclose(fitter.vertices(fit)[0], single, atol=1e-9)
