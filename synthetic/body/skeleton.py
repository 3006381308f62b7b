"""The mannequin's skeleton: 24 joints in SMPL order, and the landmarks of the other joint sets.

Positions follow the segment lengths of Winter, "Biomechanics and Motor Control of Human Movement"
(after Drillis and Contini), for a stature of 1.70 m: hip 0.53 H above the floor, knee 0.285 H, ankle
0.039 H, shoulder 0.818 H, chin 0.870 H, upper arm about 0.17 H, forearm 0.146 H. The rest pose is a
T-pose: y up, the person faces +z, the person's LEFT is +x.
"""

import numpy as np

from utils.joints import SMPL_JOINTS, opposite

# The body frame of the files has its origin in the chest, as SMPL has; the floor of the rest pose is at y = -1.15.
FLOOR = -1.15

# (x, height above the floor, z), metres, of the midline and the left side; the right side is the mirror image
_JOINTS = {
    "pelvis": (0.000, 0.930, 0.000),
    "left_hip": (0.088, 0.890, 0.000),
    "spine1": (0.000, 1.030, -0.010),
    "left_knee": (0.100, 0.485, 0.004),
    "spine2": (0.000, 1.140, -0.010),
    "left_ankle": (0.112, 0.075, -0.020),
    "spine3": (0.000, 1.240, -0.005),
    "left_foot": (0.122, 0.028, 0.095),
    "neck": (0.000, 1.440, -0.010),
    "left_collar": (0.065, 1.365, -0.005),
    "head": (0.000, 1.535, 0.005),
    "left_shoulder": (0.172, 1.385, -0.012),
    "left_elbow": (0.455, 1.382, -0.020),
    "left_wrist": (0.700, 1.380, -0.014),
    "left_hand": (0.790, 1.377, -0.010),
}
_LANDMARKS = {
    "nose": (0.000, 1.577, 0.094),
    "left_eye": (0.031, 1.602, 0.072),
    "left_ear": (0.066, 1.595, -0.002),
    "lsp_left_hip": (0.095, 0.905, 0.008),
    "neck_base": (0.000, 1.450, 0.000),
    "head_top": (0.000, 1.685, 0.000),
    "hips_centre": (0.000, 0.930, 0.005),
    "thorax": (0.000, 1.390, -0.005),
    "belly": (0.000, 1.140, 0.000),
    "jaw": (0.000, 1.525, 0.045),
    "head_centre": (0.000, 1.610, 0.010),
    "left_toes": (0.128, 0.022, 0.160),
    "left_fingers": (0.860, 1.375, -0.008),
}


def point(name: str) -> np.ndarray:
    """Place [3] float64 of a joint or landmark in the body frame at rest, metres."""
    places = _JOINTS | _LANDMARKS
    if name in places:
        x, height, z = places[name]
        return np.array([x, height + FLOOR, z])
    return point(opposite(name)) * (-1.0, 1.0, 1.0)


def joints() -> np.ndarray:
    """[24, 3] float64: the joints at rest, SMPL order, body frame, metres."""
    return np.stack([point(name) for name in SMPL_JOINTS])
