"""The view of a photograph: camera, upright direction, floor, and rays to planes.

Everything is in the frame of the posed body before the camera's translation (x right, y down, z away from the viewer),
in which the renderer casts rays. An upright body in front of a level camera has root orientation (pi, 0, 0); pitch,
roll and yaw turn it from there.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from utils.camera import PerspectiveCamera


def world_to_camera(pitch: float, roll: float) -> np.ndarray:
    """Rotation [3, 3] from upright world axes (y up, z towards the viewer) to camera axes; degrees.

    A positive pitch looks down on the scene.
    """
    turns = [Rotation.from_euler(axis, angle, degrees=True) for axis, angle in (("z", roll), ("x", pitch), ("x", 180))]
    return (turns[0] * turns[1] * turns[2]).as_matrix()


@dataclass(frozen=True)
class View:
    """A camera over a floor. height, width: of the picture, px. floor: up . (any point on the floor), metres."""

    camera: PerspectiveCamera
    height: int
    width: int
    axes: np.ndarray  # [3, 3] float32, columns right, up, towards the viewer
    floor: float

    @property
    def up(self) -> np.ndarray:
        """[3], unit vector."""
        return self.axes[:, 1]

    @property
    def origin(self) -> np.ndarray:
        """[3], metres: where the camera stands."""
        return -self.camera.translation.astype(np.float32)

    @cached_property
    def directions(self) -> np.ndarray:
        """[H, W, 3] rays through the pixels, z = 1."""
        (column, row), focal = self.camera.centre, self.camera.focal
        rays = np.ones((self.height, self.width, 3), np.float32)
        rays[..., 0] = (np.arange(self.width) - column) / focal
        rays[..., 1] = ((np.arange(self.height) - row) / focal)[:, None]
        return rays

    def facing(self, degrees: float) -> np.ndarray:
        """The unit vector towards the viewer, turned about the upright axis: [3]."""
        return Rotation.from_rotvec(np.radians(degrees) * self.up).apply(self.axes[:, 2]).astype(np.float32)

    def meet_plane(self, normal: np.ndarray, level: float) -> np.ndarray:
        """Ray parameter [H, W] at which each pixel's ray meets the plane normal . point = level; inf if it does not."""
        slope = self.directions @ np.float32(normal)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (level - self.origin @ normal) / slope
        return np.where(np.isfinite(distance) & (distance > 0), distance, np.inf).astype(np.float32)

    def along(self, axis: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """How far along `axis` [3] the points lie, metres [H, W], that the pixels' rays reach at `distance` [H, W]."""
        return self.origin @ np.float32(axis) + (self.directions @ np.float32(axis)) * distance

    def place(self, right: float, up: float, towards: float) -> np.ndarray:
        """The point [3] that lies `right`, `up` (above the floor) and `towards` the viewer from the body's origin."""
        return self.axes @ np.array([right, up + self.floor, towards])


@dataclass(frozen=True)
class Backdrop:
    """The background. Its surfaces receive light and shadow; sky and skyline do not.

    colour [H, W, 3]: linear RGB. distance [H, W]: along the ray, inf where nothing is lit. normal [H, W, 3].
    depth: free space behind the person, metres. outdoors: which kind of light falls on the scene.
    """

    colour: np.ndarray
    distance: np.ndarray
    normal: np.ndarray
    depth: float
    outdoors: bool
