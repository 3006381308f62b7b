"""Places of shoulders, knees, waist, eyes and so on of the rest body, by which clothes and faces are painted."""

from dataclasses import dataclass

import numpy as np

from utils.body_model import BodyModel, JointRegressors
from utils.joints import SMPL_JOINTS, TRAINING_JOINTS


@dataclass(frozen=True)
class Landmarks:
    """Places on the rest body, metres; |x| stands for x, because left and right are alike."""

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
    """The landmarks of a body model, from its joints and its extreme vertices."""
    vertices = model.v_template
    joint = dict(zip(SMPL_JOINTS, regressors.smpl(vertices), strict=True))
    face = dict(zip(TRAINING_JOINTS, regressors.joints(vertices), strict=True))
    return Landmarks(
        arm=(*(abs(joint[f"left_{name}"][0]) for name in ("shoulder", "elbow", "wrist")), np.abs(vertices[:, 0]).max()),
        leg=(*(joint[f"left_{name}"][1] for name in ("hip", "knee", "ankle")), vertices[:, 1].min()),
        shoulder=joint["left_shoulder"],
        neck=joint["neck"],
        waist=0.5 * (joint["spine1"][1] + joint["pelvis"][1]) + 0.02,
        chest=joint["spine3"][1],
        eye=face["left_eye"] * [np.sign(face["left_eye"][0]), 1, 1],
        nose=face["nose"],
        ear=face["left_ear"] * [np.sign(face["left_ear"][0]), 1, 1],
        crown=vertices[:, 1].max(),
    )
