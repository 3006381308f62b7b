"""Where shoulders, knees, waist and eyes are on the rest body: what clothes and faces are placed by."""

from dataclasses import dataclass

import numpy as np

from utils.body_model import BodyModel, JointRegressors


@dataclass(frozen=True)
class Landmarks:
    """Where things are on the rest body, metres; x is taken without its sign (left and right are alike)."""

    arm: tuple  # |x| of shoulder, elbow, wrist, finger tip
    leg: tuple  # y of hip, knee, ankle, sole (falling)
    shoulder: np.ndarray
    neck: np.ndarray
    waist: float  # y
    chest: float  # y
    eye: np.ndarray
    nose: np.ndarray
    ear: np.ndarray
    crown: float  # y

    def along_arm(self, rest: np.ndarray) -> np.ndarray:
        """[N]: 0 at the shoulder, 1 elbow, 2 wrist, 3 finger tip; negative towards and on the trunk."""
        reach = np.abs(rest[:, 0])
        shoulder = self.arm[0]
        value = np.interp(reach, (0, *self.arm), (-shoulder / (self.arm[1] - shoulder), 0, 1, 2, 3))
        return np.where(rest[:, 1] > self.waist, value, -1.0)

    def along_leg(self, rest: np.ndarray) -> np.ndarray:
        """[N]: 0 at the hip joint, 1 knee, 2 ankle, 3 sole; negative above the hip."""
        return np.interp(-rest[:, 1], [-self.crown, *(-y for y in self.leg)], [-3, 0, 1, 2, 3])


def find_landmarks(model: BodyModel, regressors: JointRegressors) -> Landmarks:
    """The landmarks of a body model, from its joints and extremes."""
    vertices = model.v_template
    joints, named = regressors.smpl(vertices), regressors.joints(vertices)
    return Landmarks(
        arm=(*(abs(joints[joint, 0]) for joint in (16, 18, 20)), np.abs(vertices[:, 0]).max()),
        leg=(*(joints[joint, 1] for joint in (1, 4, 7)), vertices[:, 1].min()),
        shoulder=joints[16],
        neck=joints[12],
        waist=0.5 * (joints[3, 1] + joints[0, 1]) + 0.02,
        chest=joints[9, 1],
        eye=named[20] * [np.sign(named[20, 0]), 1, 1],
        nose=named[19],
        ear=named[22] * [np.sign(named[22, 0]), 1, 1],
        crown=vertices[:, 1].max(),
    )
