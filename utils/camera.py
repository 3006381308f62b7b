"""The camera convention, and every projection and pixel map in numpy. Other files refer to this docstring.

Camera space: x right, y down, z away from the viewer; metres. No camera rotates: bodies are turned by their root
orientation.

Weak perspective: a camera (s, tx, ty) maps a point (X, Y, Z) to (x, y) = s * (X + tx, Y + ty), in units where
x = (2 px - W) / W and y = (2 py - H) / W. In a square crop these are the crop units, [-1, 1] across the crop.
models.geometric_layers.orthographic_projection is the same for the network.

Perspective: pictures of the data sets are drawn with a pinhole camera of focal length 1000 px, whose centre is the
middle of the image and whose translation is added to the points (`perspective_from_weak`).

Pixels: pixel index = coordinate, so a ray through a pixel passes through its integer coordinate, and the centre of an
image is (W / 2, H / 2). utils/renderer.py casts the rays that the cameras of this file give it.
"""

from dataclasses import dataclass

import numpy as np

FOCAL_LENGTH = 1000.0  # px; UP-3D and SURREAL meshes are drawn with it
BOX_UNIT = 200.0  # px; a crop's scale is the side of its square in units of 200 px
SMALLEST_SCALE = 1e-6  # a camera of scale 0 shows a point, and cannot be inverted


class CameraFitError(ValueError):
    """The keypoints do not determine a camera."""


@dataclass(frozen=True)
class PerspectiveCamera:
    """Pinhole camera: focal length and centre (cx, cy) in px, translation [3] in metres added to points."""

    focal: float
    centre: tuple[float, float]
    translation: np.ndarray

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Pixel coordinates [N, 2] of points [N, 3]; they do not depend on the image's size."""
        moved = np.asarray(points, np.float64) + self.translation
        return self.focal * moved[:, :2] / moved[:, 2:] + self.centre

    def rays(self, columns: np.ndarray, rows: np.ndarray, height: int, width: int, near: float):
        """Rays through the pixels of a grid, columns [w] and rows [h] px.

        Returns float32 origins [h * w, 3], directions [h * w, 3] with z = 1, and the origins' depth.
        """
        directions = np.ones((len(rows), len(columns), 3), np.float32)
        directions[..., 0] = (columns - self.centre[0]) / self.focal
        directions[..., 1] = ((rows - self.centre[1]) / self.focal)[:, None]
        origins = np.empty((len(rows) * len(columns), 3), np.float32)
        origins[:] = -np.asarray(self.translation)
        return origins, directions.reshape(-1, 3), 0.0


@dataclass(frozen=True)
class OrthographicCamera:
    """Weak-perspective camera (scale, shift (tx, ty)) of an image of any size; depth is the points' own z."""

    scale: float
    shift: tuple[float, float]

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Pixel coordinates [N, 2] of points [N, 3]."""
        points = np.asarray(points, np.float64)
        return from_image_units(project_weak(points, np.array([self.scale, *self.shift])), height, width)

    def rays(self, columns: np.ndarray, rows: np.ndarray, height: int, width: int, near: float):
        """Parallel rays through the pixels of a grid, from depth `near`; returns what PerspectiveCamera.rays does."""
        origins = np.full((len(rows), len(columns), 3), near, np.float32)
        origins[..., 0] = (2 * columns - width) / (width * self.scale) - self.shift[0]
        origins[..., 1] = ((2 * rows - height) / (width * self.scale) - self.shift[1])[:, None]
        directions = np.zeros((len(rows) * len(columns), 3), np.float32)
        directions[:, 2] = 1
        return origins.reshape(-1, 3), directions, near


def upright(vertices: np.ndarray) -> np.ndarray:
    """Points [V, 3] of camera space -> y up and z towards the viewer, as mesh viewers expect: half a turn about x."""
    return np.asarray(vertices, np.float64) * (1.0, -1.0, -1.0)


def to_image_units(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixel coordinates [..., 2] -> units in which the image spans [-1, 1] across its width."""
    return (2.0 * np.asarray(pixels, np.float64) - (width, height)) / width


def from_image_units(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Inverse of `to_image_units`: [..., 2] -> pixels [..., 2]."""
    return (np.asarray(points) * width + (width, height)) / 2


def project_weak(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Weak-perspective projection of points [..., N, 3] or [..., N, 2] with camera (s, tx, ty): [..., N, 2]."""
    return camera[0] * (points[..., :2] + camera[1:])


def fit_weak_perspective(points: np.ndarray, targets: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Least-squares camera (s, tx, ty) that maps points [N, >=2] (metres) to targets [N, 2] (image units).

    Only points whose `visible` [N] is positive count. Raises CameraFitError where there are fewer than two of
    them, where they coincide, or where the best scale is not positive.
    """
    chosen = np.asarray(visible) > 0
    if chosen.sum() < 2:
        raise CameraFitError(f"no camera can be fitted: {chosen.sum()} visible joints, at least 2 are needed")
    points = np.asarray(points, np.float64)[chosen, :2]
    targets = np.asarray(targets, np.float64)[chosen]
    if not (np.isfinite(points).all() and np.isfinite(targets).all()):
        raise CameraFitError("no camera can be fitted: joints are not finite numbers")
    point_mean, target_mean = points.mean(axis=0), targets.mean(axis=0)
    centred = points - point_mean
    spread = (centred**2).sum()
    scale = ((targets - target_mean) * centred).sum() / spread if spread > 0 else 0.0
    if not scale > 0:
        raise CameraFitError("no camera can be fitted: the visible joints coincide or lie mirrored to the body")
    return np.array([scale, *(target_mean / scale - point_mean)])


def weak_in_window(camera: np.ndarray, width: float, window_centre: np.ndarray, window_width: float) -> np.ndarray:
    """The camera [3] = (s, tx, ty) of a square or image, as the camera of a window of the same plane.

    The units of `camera` span `width` px around 0. Those of the result span window_width px around
    window_centre (x, y), which is given in px relative to the centre of the first square. A projected point
    stays where it is. To go from a crop to its image, for example, `width` is the side of the crop, and
    the window's centre is the centre of the image relative to that of the crop.
    """
    scale = camera[0] if abs(camera[0]) > SMALLEST_SCALE else SMALLEST_SCALE
    shift = np.asarray(window_centre, np.float64) * 2 / (width * scale)
    return np.array([scale * width / window_width, *(camera[1:] - shift)], np.float64)


def perspective_from_weak(
    camera: np.ndarray, height: int, width: int, focal: float = FOCAL_LENGTH, depth: float = 0.0
) -> PerspectiveCamera:
    """The pinhole camera at the image centre that agrees with weak perspective (s, tx, ty) at points of z = `depth`.

    Weak perspective maps (X, Y, Z) to s (X + tx, Y + ty), in units of half the image's width, and the pinhole camera to
    2 focal / width (X + tx, Y + ty) / (Z + tz). They agree where Z + tz = 2 focal / (s width). focal is in px, depth in
    metres.
    """
    scale, shift_x, shift_y = camera
    distance = 2 * focal / (width * scale + 1e-9)
    return PerspectiveCamera(focal, (width / 2, height / 2), np.array([shift_x, shift_y, distance - depth]))


def fit_camera(joints: np.ndarray, keypoints: np.ndarray, height: int, width: int) -> PerspectiveCamera:
    """Fit the drawing camera of an image to joints [N, 3] (metres) and keypoints [N, 3] = (x px, y px, visible)."""
    targets = to_image_units(keypoints[:, :2], height, width)
    return perspective_from_weak(fit_weak_perspective(joints, targets, keypoints[:, 2]), height, width)


def normalise_pixels(points: np.ndarray, size: int) -> np.ndarray:
    """Crop pixels [..., 2] -> crop units: 0 is the centre of the crop, and its side spans [-1, 1]."""
    return 2.0 * np.asarray(points) / size - 1.0
