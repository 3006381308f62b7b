"""A picture of the generated body: the three models, a face, a hand and a seated person."""

import numpy as np

from utils.body_model import BodyModel, pose_vertices
from utils.joints import SMPL_JOINTS
from utils.pictures import draw_mesh
from utils.rotations import rotation_matrices

PIXELS = 320  # per metre, of whole bodies
HEIGHT, CLOSE = 1.95, 460  # of the upper row in metres, and of the square pictures below it in pixels
_SKIN, _MAN, _WOMAN = (0.95, 0.80, 0.71), (0.66, 0.78, 0.93), (0.95, 0.73, 0.68)
_LOWERED = {"left_shoulder": (0, 0, -70), "right_shoulder": (0, 0, 70)}
_SEATED = {
    "left_shoulder": (0, -20, -60), "right_shoulder": (0, 20, 60), "left_elbow": (0, -90, 0), "right_elbow": (0, 90, 0),
    "left_hip": (-90, 0, 0), "right_hip": (-90, 0, 0), "left_knee": (90, 0, 0), "right_knee": (90, 0, 0),
}  # fmt: skip


def body_picture(models: dict[str, BodyModel]) -> np.ndarray:
    """The models neutral, male and female as RGB [H, W, 3] uint8."""
    neutral, man, woman = (models[gender] for gender in ("neutral", "male", "female"))
    joints = dict(zip(SMPL_JOINTS, neutral.joint_regressor @ neutral.v_template, strict=True))
    rest, middle = neutral.v_template, np.mean([neutral.v_template.max(axis=0), neutral.v_template.min(axis=0)], axis=0)
    tall = round(HEIGHT * PIXELS)

    def whole(model, vertices, wide, yaw, colour):
        return _draw(model, vertices, middle, (tall, round(wide * PIXELS)), PIXELS, yaw, colour)

    def close(model, vertices, centre, across, yaw, colour=_SKIN):
        return _draw(model, vertices, centre, (CLOSE, CLOSE), CLOSE / across, yaw, colour)

    bodies = [
        whole(neutral, rest, 1.8, 0, _SKIN),
        whole(neutral, rest, 0.5, -90, _SKIN),
        whole(neutral, rest, 1.8, 180, _SKIN),
        whole(man, _posed(man, _LOWERED), 0.85, -20, _MAN),
        whole(woman, _posed(woman, _LOWERED), 0.85, -20, _WOMAN),
    ]
    face = joints["head"] + [0, 0.04, 0.05]
    seated = _posed(neutral, _SEATED)
    closer = [
        close(neutral, rest, face, 0.30, 0),
        close(neutral, rest, face, 0.30, -40),
        close(neutral, _posed(neutral, {"left_shoulder": (-80, 0, 0)}), joints["left_hand"] + [0, -0.02, 0], 0.30, 0),
        close(neutral, seated, (seated.max(axis=0) + seated.min(axis=0)) / 2, 1.45, -50),
    ]
    upper = np.concatenate(bodies, axis=1)
    wide = np.full((CLOSE, upper.shape[1], 3), 255, np.uint8)
    gap = (upper.shape[1] - len(closer) * CLOSE) // (len(closer) + 1)
    for number, picture in enumerate(closer):
        left = gap + number * (CLOSE + gap)
        wide[:, left : left + CLOSE] = picture
    return np.concatenate([upper, wide])


def _posed(model: BodyModel, degrees: dict) -> np.ndarray:
    """The average body with some joints turned by angles in degrees about the axes of the body."""
    pose = np.zeros((len(SMPL_JOINTS), 3))
    for joint, angles in degrees.items():
        pose[SMPL_JOINTS.index(joint)] = np.radians(angles)
    return pose_vertices(model, pose.ravel(), np.zeros(model.shapedirs.shape[2]))


def _draw(model: BodyModel, vertices, centre, size: tuple, scale: float, yaw: float, colour) -> np.ndarray:
    """A picture of `size` (height, width), `scale` pixels per metre, of a body that is turned by `yaw` degrees."""
    turned = (vertices - centre) @ rotation_matrices(np.array([0, np.radians(yaw), 0])).T * (1, -1, -1)
    camera = np.array([2 * scale / size[1], 0.0, 0.0])
    return draw_mesh(np.full((*size, 3), 255, np.uint8), turned, model.faces, camera, colour)
