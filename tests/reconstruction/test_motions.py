"""The motion of a person: one body over all frames, in its place, filled and smoothed."""

import dataclasses

import numpy as np
import pytest

from reconstruction.motions import Motion, MotionCollector, rest_joints
from tests.helpers.soft_body import soft_body
from utils.body_model import pose_joints, pose_vertices

RATE = 25.0


def collect(frames, pose, betas, pelvis, model=None, smooth=0.0) -> list[Motion]:
    """The motions of one person who is seen in `frames`."""
    collector = MotionCollector(model or soft_body(), RATE, smooth)
    for values in zip(frames, pose, betas, pelvis, strict=True):
        collector.add(0, *values)
    return [motion for _, motion in collector.finish()]


def test_the_bodies_of_known_frames_are_those_that_were_seen():
    rng, model = np.random.default_rng(0), soft_body()
    frames, betas = np.array([7, 8, 9, 13, 14]), rng.normal(size=10)
    pose, places = rng.normal(0, 0.5, (5, 24, 3)), rng.normal(size=(5, 3)) + (0, 0, 5)
    seen = [pose_vertices(model, turns, betas) + place for turns, place in zip(pose, places, strict=True)]
    pelvis = [pose_joints(model, turns, betas)[0] + place for turns, place in zip(pose, places, strict=True)]
    (motion,) = collect(frames, pose, [betas] * 5, pelvis)
    assert (len(motion.pose), len(motion.translation), motion.first_frame, motion.frame_rate) == (8, 8, 7, RATE)
    for frame, vertices in zip(frames - 7, seen, strict=True):
        found = pose_vertices(model, motion.pose[frame], motion.betas) + motion.translation[frame]
        np.testing.assert_allclose(found, vertices, atol=1e-5)


def test_the_body_is_the_median_and_an_outlier_does_not_count():
    betas = np.zeros((9, 10))
    betas[:, 2] = [0.1, 0.2, 0.3, 0.2, 0.1, 0.2, 9, 0.2, 0.1]
    (motion,) = collect(range(9), np.zeros((9, 24, 3)), betas, np.full((9, 3), 5.0))
    assert motion.betas[2] == pytest.approx(0.2)


def test_a_frame_with_a_larger_body_puts_it_no_further_away():
    """The first beta makes the whole body larger; a photograph shows the same of one twice as large and far."""
    model = dataclasses.replace(soft_body(), shapedirs=soft_body().shapedirs.copy())
    model.shapedirs[..., 0] = 0.1 * model.v_template
    betas = np.zeros((5, 10))
    betas[:, 0] = [0, 1, 0, -1, 0]
    pelvis = np.array([1.0, 0.5, 6]) * (1 + 0.1 * betas[:, :1])
    (motion,) = collect(range(5), np.zeros((5, 24, 3)), betas, pelvis, model)
    np.testing.assert_allclose(motion.translation + rest_joints(model, np.zeros((1, 10)))[0, 0],
                               np.tile([1.0, 0.5, 6], (5, 1)), atol=1e-5)  # fmt: skip


def test_joints_at_rest_are_those_of_the_posed_body_that_does_not_move():
    betas = np.random.default_rng(0).normal(size=(3, 10))
    expected = [pose_joints(soft_body(), np.zeros((24, 3)), one) for one in betas]
    np.testing.assert_allclose(rest_joints(soft_body(), betas), expected, atol=1e-12)


def test_smoothing_makes_both_turns_and_places_calmer():
    rng = np.random.default_rng(0)
    pose, pelvis = rng.normal(0, 0.1, (100, 24, 3)), rng.normal(0, 0.1, (100, 3)) + (0, 0, 5)
    (rough,), (calm,) = (collect(range(100), pose, np.zeros((100, 10)), pelvis, smooth=s) for s in (0.0, 0.4))
    for name in ("pose", "translation"):
        before, after = (np.abs(np.diff(getattr(motion, name), axis=0)).mean() for motion in (rough, calm))
        assert after < 0.5 * before


def test_who_is_forgotten_or_seen_once_has_no_motion():
    collector = MotionCollector(soft_body(), RATE, 0.3)
    for identity, frame in ((4, 0), (4, 1), (2, 1), (1, 1), (4, 2), (1, 2)):
        collector.add(identity, frame, np.zeros((24, 3)), np.zeros(10), np.ones(3))
    collector.forget([4, 99])
    assert [identity for identity, _ in collector.finish()] == [1]
