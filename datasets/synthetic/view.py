"""How a photograph looks at the world: camera, the upright direction and the floor, and rays to planes.

Everything lies in the frame of the posed body before the camera's translation (x right, y down,
z away from the viewer), which is the frame the renderer casts rays in. A body upright in front of
a level camera has root orientation (pi, 0, 0); pitch, roll and yaw turn it from there.
"""
from dataclasses import dataclass

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
    """A camera over a floor: height x width px; up, right, towards are unit vectors [3]; floor = up . (point on it)."""

    camera: PerspectiveCamera
    height: int
    width: int
    axes: np.ndarray  # [3, 3], columns right, up, towards the viewer
    floor: float

    @property
    def up(self) -> np.ndarray:
        return self.axes[:, 1]

    @property
    def origin(self) -> np.ndarray:
        return -self.camera.translation

    def directions(self) -> np.ndarray:
        """[H, W, 3] rays through the pixels, z = 1."""
        rows, columns = np.mgrid[: self.height, : self.width]
        _, rays, _ = self.camera.rays(columns.ravel(), rows.ravel(), self.height, self.width, 0.0)
        return rays.reshape(self.height, self.width, 3)

    def meet_plane(self, normal: np.ndarray, level: float, directions: np.ndarray) -> np.ndarray:
        """Ray parameter [H, W] where rays meet the plane normal . point = level; inf where they do not."""
        slope = directions @ normal
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (level - self.origin @ normal) / slope
        return np.where(np.isfinite(distance) & (distance > 0), distance, np.inf)

    def place(self, right: float, up: float, towards: float) -> np.ndarray:
        """The point [3] that lies `right`, `up` (above the floor) and `towards` the viewer from the body's origin."""
        return self.axes @ np.array([right, up + self.floor, towards])
