"""Find nose, eyes, ears and the other joints that SMPL's skeleton lacks; utils/joints.py lists them as EXTRA_JOINTS.

The face is found by its shape: the nose is the foremost point in the middle of the head, the ears are at its widest,
and the eyes have their usual place between nose and crown. A user may give better places.
"""

import numpy as np

from utils.errors import UserError
from utils.joints import SMPL_JOINTS

Places = dict[str, np.ndarray]  # joint or landmark -> [3], metres

HEAD = SMPL_JOINTS.index("head")
# shares of the head's width: half of the strip with the nose; a pupil from the middle; an ear, as a share of half
_NOSE_STRIP, _EYE_ACROSS, _EAR_ACROSS = 0.15, 0.18, 0.80
# shares of the way from the nose up to the crown: eyes; ears
_EYE_UP, _EAR_UP = 0.22, 0.15
_BELOW_CROWN = 0.12  # LSP's head top lies this share of the way from the crown down to the nose
# LSP's hips lie farther out, by this share of the hips' distance, and higher, by this share of the way to spine1
_HIP_OUT, _HIP_UP = 0.08, 0.15
# shares of the way from the nose down to the neck, and from the neck forward to the nose
_JAW_DOWN, _JAW_FORWARD = 0.45, 0.45


def find_places(vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray, known: Places | None = None) -> Places:
    """The 24 joints and 14 landmarks of a body at rest, by name.

    Args:
        vertices: [V, 3] metres, y up, facing +z. weights: [V, 24]. joints: [24, 3].
        known: better places, by name; they replace those that are found.
    """
    places = dict(zip(SMPL_JOINTS, joints, strict=True)) | face_places(vertices, weights, joints)
    hips = (places["left_hip"] + places["right_hip"]) / 2
    for side in ("left", "right"):
        hip = places[f"{side}_hip"]
        outward = _HIP_OUT * (hip - hips) * [2, 0, 0]
        places[f"lsp_{side}_hip"] = hip + outward + _HIP_UP * (places["spine1"] - hips) * [0, 1, 0]
    places["neck_base"] = places["neck"] + [0, 0.1, 0] * (places["head"] - places["neck"])
    places["hips_centre"] = places["pelvis"]
    places["thorax"] = (places["left_shoulder"] + places["right_shoulder"]) / 2
    places["belly"] = places["spine2"]
    return places | (known or {})


def face_places(vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> Places:
    """Nose, eyes, ears, head top, jaw and the head's centre, by name; arguments as in `find_places`."""
    owner = weights.argmax(axis=1)
    head = vertices[(owner == HEAD) & (vertices[:, 1] > joints[HEAD, 1])]
    if not len(head):
        raise UserError("No vertex moves mainly with the head joint (15) and lies above it, so the face is not found.")
    low, high = head.min(axis=0), head.max(axis=0)
    width, middle = high[0] - low[0], (high[0] + low[0]) / 2
    strip = head[np.abs(head[:, 0] - middle) < _NOSE_STRIP * width]
    nose = strip[strip[:, 2].argmax()] * [0, 1, 1] + [middle, 0, 0]
    crown = high[1]
    rise = crown - nose[1]
    places = {"nose": nose, "head_top": np.array([middle, crown - _BELOW_CROWN * rise, (low[2] + high[2]) / 2])}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        eye = np.array([middle + sign * _EYE_ACROSS * width, nose[1] + _EYE_UP * rise])
        near = np.linalg.norm(head[:, :2] - eye, axis=1) - 0.5 * (head[:, 2] - low[2])
        places[f"{side}_eye"] = np.array([*eye, head[near.argmin(), 2]])
        level = np.abs(head[:, 1] - nose[1] - _EAR_UP * rise) < 0.3 * rise
        beside = head[level & (sign * (head[:, 0] - middle) > 0.4 * width)]
        across = middle + sign * _EAR_ACROSS * width / 2
        depth = beside[:, 2].mean() if len(beside) else joints[HEAD, 2]
        places[f"{side}_ear"] = np.array([across, nose[1] + _EAR_UP * rise, depth])
    neck = joints[SMPL_JOINTS.index("neck")]
    jaw = nose + _JAW_DOWN * (neck - nose)
    places["jaw"] = np.array([middle, jaw[1], neck[2] + _JAW_FORWARD * (nose[2] - neck[2])])
    places["head_centre"] = np.array([middle, nose[1] + 0.25 * rise, (low[2] + high[2]) / 2])
    return places
