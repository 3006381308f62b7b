"""Smoothing of motion: by time, as rotations, without a jump; gaps are filled on the shortest way."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from reconstruction.smoothing import fill_points, fill_rotations, smooth_points, smooth_rotations

RATE, SECONDS = 30.0, 0.3


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles between axis-angle vectors [..., 3], radians."""
    turns = [Rotation.from_rotvec(values.reshape(-1, 3)) for values in (first, second)]
    return (turns[0].inv() * turns[1]).magnitude()


def wavy(rate: float, seconds: float = 3.0) -> np.ndarray:
    """A motion [T, 24, 3] that is smooth in time: every joint swings at up to 1.5 Hz about the three axes."""
    rng = np.random.default_rng(3)
    times = np.arange(round(seconds * rate) + 1)[:, None, None] / rate
    return rng.uniform(0.2, 1, (24, 3)) * np.sin(rng.uniform(1, 9, (24, 3)) * times + rng.uniform(0, 6, (24, 3)))


def direct_weights(count: int, at: int, rate: float, seconds: float) -> np.ndarray:
    """The weights of a tricube-weighted least-squares parabola at one of `count` frames, solved frame by frame."""
    times = (np.arange(count) - at) / rate
    root = np.sqrt(np.clip(1 - (np.abs(times) / (seconds / 2)) ** 3, 0, None) ** 3)
    rows = root[:, None] * np.stack([np.ones(count), times, times**2], 1)
    return np.linalg.lstsq(rows, np.diag(root), rcond=None)[0][0]


@pytest.mark.parametrize("at", [0, 1, 2, 25, 49])
def test_points_are_those_of_a_least_squares_parabola(at):
    points = np.random.default_rng(0).normal(size=(50, 3))
    expected = direct_weights(50, at, RATE, SECONDS) @ points
    np.testing.assert_allclose(smooth_points(points, RATE, SECONDS)[at], expected, atol=1e-9)


def test_steady_motion_stays():
    times = np.arange(80)[:, None] / RATE
    points = np.array([1.0, 2, 3]) + times * (0.5, -1, 2) + times**2 * (1, 0, -3)
    np.testing.assert_allclose(smooth_points(points, RATE, SECONDS), points, atol=1e-9)
    start = Rotation.random(24, random_state=0)
    speeds = np.random.default_rng(0).normal(0, 3, (24, 3))  # radians a second: many half turns
    turns = np.stack([(start * Rotation.from_rotvec(speeds * time)).as_rotvec() for time in times.ravel()])
    assert np.abs(np.diff(turns, axis=0)).max() > 4  # the vectors jump at half a turn
    assert angles(smooth_rotations(turns, RATE, SECONDS), turns).max() < 1e-7


def test_noise_falls_by_the_factor_of_the_weights():
    rng = np.random.default_rng(0)
    factor = np.linalg.norm(direct_weights(101, 50, RATE, SECONDS))
    assert 0.5 < factor < 0.6
    noise = rng.normal(0, 0.05, (400, 24, 3))
    base = Rotation.random(24, random_state=1)
    turns = np.stack([(base * Rotation.from_rotvec(values)).as_rotvec() for values in noise])
    still = np.stack([base.as_rotvec()] * 400)
    smoothed = smooth_rotations(turns, RATE, SECONDS)
    ratio = np.sqrt((angles(smoothed, still) ** 2).mean() / (angles(turns, still) ** 2).mean())
    assert ratio == pytest.approx(factor, rel=0.03)
    points = rng.normal(size=(4000, 3))
    assert smooth_points(points, RATE, SECONDS).std() / points.std() == pytest.approx(factor, rel=0.03)


def test_noise_about_half_a_turn_is_smoothed_as_anywhere_else():
    """Vectors near half a turn have either sign; their mean would be no turn at all."""
    noise = np.random.default_rng(0).normal(0, 0.05, (300, 1, 3))
    turns = np.stack([(Rotation.from_rotvec([[np.pi, 0, 0]]) * Rotation.from_rotvec(v)).as_rotvec() for v in noise])
    assert (turns[:, 0, 0] > 2).sum() > 50 and (turns[:, 0, 0] < -2).sum() > 50
    expected = smooth_rotations(noise, RATE, SECONDS)
    back = np.stack([(Rotation.from_rotvec([[np.pi, 0, 0]]).inv() * Rotation.from_rotvec(v)).as_rotvec()
                     for v in smooth_rotations(turns, RATE, SECONDS)])  # fmt: skip
    np.testing.assert_allclose(back, expected, atol=1e-7)


def test_a_turned_camera_turns_the_result():
    turns = wavy(RATE) + np.random.default_rng(0).normal(0, 0.05, wavy(RATE).shape)
    camera = Rotation.from_rotvec([1.0, 2.0, -0.5])
    turned = (camera * Rotation.from_rotvec(turns.reshape(-1, 3))).as_rotvec().reshape(turns.shape)
    smoothed = smooth_rotations(turns, RATE, SECONDS)
    expected = (camera * Rotation.from_rotvec(smoothed.reshape(-1, 3))).as_rotvec().reshape(turns.shape)
    assert angles(smooth_rotations(turned, RATE, SECONDS), expected).max() < 1e-7


@pytest.mark.parametrize("rate", [30, 60, 120])
def test_the_window_is_in_seconds_so_the_frame_rate_changes_little(rate):
    slow = smooth_rotations(wavy(30), 30, SECONDS)
    fast = smooth_rotations(wavy(rate), rate, SECONDS)[:: rate // 30]
    change = angles(slow, wavy(30))
    assert angles(fast, slow).max() < 0.01  # radians
    assert 0.001 < change.max() < 0.1
    # four times the window changes much more, so a window in frames would not pass
    assert angles(smooth_rotations(wavy(30), 30, 4 * SECONDS), slow).max() > 0.1


@pytest.mark.parametrize("seconds", [0, 0.01])
def test_no_window_changes_nothing(seconds):
    turns = wavy(RATE)
    assert angles(smooth_rotations(turns, RATE, seconds), turns).max() < 1e-7
    np.testing.assert_allclose(smooth_points(turns[:, 0], RATE, seconds), turns[:, 0], atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_motion_shorter_than_the_window_stays_finite(count):
    turns = wavy(RATE)[:count]
    assert angles(smooth_rotations(turns, RATE, SECONDS), turns).max() < 0.1
    assert angles(smooth_rotations(turns, RATE, 100.0), turns).max() < 0.1


def test_long_motions_are_smoothed_in_parts_without_a_seam():
    points = np.random.default_rng(0).normal(size=(1100, 3))
    expected = direct_weights(1100, 511, RATE, SECONDS) @ points
    np.testing.assert_allclose(smooth_points(points, RATE, SECONDS)[511], expected, atol=1e-9)
    np.testing.assert_allclose(smooth_points(points, RATE, SECONDS)[1000:1050],
                               smooth_points(points[980:1070], RATE, SECONDS)[20:70], atol=1e-9)  # fmt: skip


def test_gaps_are_filled_by_slerp():
    """Through half a turn, on the shortest way: the angle from the frame before grows evenly, about one axis."""
    first, second = Rotation.from_rotvec([np.pi - 0.3, 0, 0]), Rotation.from_rotvec([-np.pi + 0.5, 0, 0])
    known = np.stack([first.as_rotvec(), second.as_rotvec()])[:, None]
    filled = fill_rotations(known, np.array([10, 14]), np.arange(10, 15))
    for step, turn in enumerate(filled[:, 0]):
        expected = Rotation.from_rotvec([np.pi - 0.3 + 0.2 * step, 0, 0])
        assert (expected.inv() * Rotation.from_rotvec(turn)).magnitude() < 1e-9
    np.testing.assert_allclose(
        fill_points(np.array([[0.0, 1, 2], [4, 5, 6]]), np.array([10, 14]), np.arange(10, 15)),
        [[step, 1 + step, 2 + step] for step in range(5)],
    )


def test_known_frames_stay_where_gaps_are_filled():
    turns = wavy(RATE)
    kept = np.array([0, 1, 2, 5, 6, 20, 40, 90])
    filled = fill_rotations(turns[kept], kept, np.arange(91))
    assert angles(filled[kept], turns[kept]).max() < 1e-7
