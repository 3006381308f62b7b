"""Smooth a person's motion over time, and fill the frames in which the person was not seen.

Frames without the person get rotations by spherical linear interpolation (Shoemake, 1985). Then every frame gets the
value at its time of a parabola that is fitted to the frames around it, weighted by the tricube of their distance in
seconds (Savitzky and Golay, 1964; Cleveland, 1979). A rotation is smoothed in the logarithms of the turns that lead
from it to its neighbours. So nothing jumps at half a turn, a steady turn stays as it is, and it does not matter how the
camera is turned.
"""

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

CHUNK = 512  # frames at a time
DEGREE = 2  # of the polynomial


def fill_rotations(axis_angles: np.ndarray, frames: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Axis-angle vectors [T, J, 3] at rising `frames` [T] -> [W, J, 3] at the frames `wanted` [W] within them."""
    if len(frames) == 1:
        return np.repeat(np.asarray(axis_angles, np.float64), len(wanted), axis=0)
    joints = np.moveaxis(np.asarray(axis_angles, np.float64), 1, 0)
    return np.stack([Slerp(frames, Rotation.from_rotvec(turns))(wanted).as_rotvec() for turns in joints], axis=1)


def fill_points(points: np.ndarray, frames: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Points [T, 3] at rising `frames` [T] -> [W, 3] at the frames `wanted` [W], on straight lines between them."""
    return np.stack([np.interp(wanted, frames, column) for column in np.asarray(points, np.float64).T], axis=1)


def smooth_rotations(axis_angles: np.ndarray, frame_rate: float, seconds: float) -> np.ndarray:
    """Smooth axis-angle vectors [T, J, 3] of successive frames over windows of `seconds`; 0 changes nothing."""
    turns = np.asarray(axis_angles, np.float64)
    smoothed = np.empty_like(turns)
    for chosen, places, weights in _windows(len(turns), frame_rate, seconds):
        centres = Rotation.from_rotvec(turns[chosen].reshape(-1, 3))
        logarithms = np.empty((*places.shape, *turns.shape[1:]))
        for column, place in enumerate(places.T):
            steps = centres.inv() * Rotation.from_rotvec(turns[place].reshape(-1, 3))
            logarithms[:, column] = steps.as_rotvec().reshape(-1, *turns.shape[1:])
        change = np.einsum("tw,twjc->tjc", weights, logarithms)
        smoothed[chosen] = (centres * Rotation.from_rotvec(change.reshape(-1, 3))).as_rotvec().reshape(change.shape)
    return smoothed


def smooth_points(points: np.ndarray, frame_rate: float, seconds: float) -> np.ndarray:
    """Smooth points [T, 3] of successive frames over windows of `seconds`; 0 changes nothing."""
    points = np.asarray(points, np.float64)
    smoothed = np.empty_like(points)
    for chosen, places, weights in _windows(len(points), frame_rate, seconds):
        smoothed[chosen] = np.einsum("tw,twc->tc", weights, points[places])
    return smoothed


def _windows(count: int, frame_rate: float, seconds: float):
    """For a chunk of frames: their slice, the frames around each [T, W], and the weights of these [T, W]."""
    reach = min(max(int(np.ceil(seconds * frame_rate / 2 - 1e-9)) - 1, 0), count)
    offsets = np.arange(-reach, reach + 1)
    for start in range(0, count, CHUNK):
        chosen = slice(start, min(start + CHUNK, count))
        places = np.arange(count)[chosen, None] + offsets
        inside = (places >= 0) & (places < count)
        places = places.clip(0, count - 1)
        yield chosen, places, _weights(offsets, inside, seconds * frame_rate / 2)


def _weights(offsets: np.ndarray, inside: np.ndarray, half_window: float) -> np.ndarray:
    """Weights [T, W] that give a fitted polynomial's value at offset 0 from values at `offsets` [W], in frames.

    inside [T, W]: the values that exist; half_window, in frames, is the distance from which values count nothing.
    """
    distances = np.abs(offsets) / max(half_window, 1.0)
    kernel = np.where(inside, (1 - distances**3) ** 3, 0.0)
    powers = (offsets / max(half_window, 1.0))[:, None] ** np.arange(DEGREE + 1)
    moments = np.einsum("tw,wa,wb->tab", kernel, powers, powers)
    # a window with fewer values than coefficients takes the smallest polynomial, which keeps the value at 0
    at_zero = np.linalg.pinv(moments, rcond=1e-10, hermitian=True)[:, 0]
    return kernel * (at_zero @ powers.T)
