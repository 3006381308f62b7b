"""Write a person's motion for animation programs: .bvh, and .npz in the layout of AMASS.

.bvh: a skeleton of the 24 joints (utils.joints.SMPL_JOINTS) in the T pose of the person's betas; y up, facing +z,
lengths in metres (import with a scale of 100 into programs that work in centimetres). The root has channels for its
place and its rotation, the others for their rotation. Rotations are degrees in the order Zrotation Xrotation Yrotation:
the matrix is Rz Rx Ry, as the order of channels in a .bvh means. Leaves end in half of their parent's bone.

.npz: poses [T, 72], betas [10], trans [T, 3], gender, the frame rate as mocap_framerate and mocap_frame_rate, both of
which are in use, and first_frame, which AMASS lacks. As in AMASS the scene is z up: the person stands along z and a
person who faces the camera faces -y.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from reconstruction.skeleton import UPRIGHT, move_skeleton
from utils.body_model import BodyModel
from utils.files import write_npz, write_text
from utils.joints import NUM_JOINTS, ROOT, SMPL_JOINTS

EULER_ORDER = "ZXY"  # each rotation about the axes that the former ones have turned
END_SHARE = 0.5  # of the bone above a leaf: the length of the leaf's own
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up, z ahead -> z up, -y ahead


def write_bvh(
    path, model: BodyModel, betas: np.ndarray, pose: np.ndarray, translation: np.ndarray, frame_rate: float
) -> None:
    """Write a motion in camera space: betas [10], pose [T, 24, 3] axis-angle, translation [T, 3] metres; Hz."""
    skeleton = move_skeleton(model, betas, pose, translation)
    angles = euler_angles(skeleton.rotations)
    rows = np.concatenate([skeleton.root_places, angles.reshape(len(angles), -1)[:, _file_columns(model)]], axis=1)
    lines = ["HIERARCHY", *_hierarchy(model, skeleton.rest, ROOT), "MOTION"]
    lines += [f"Frames: {len(rows)}", f"Frame Time: {1 / frame_rate:.8f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in rows.tolist()]
    write_text(path, "\n".join(lines) + "\n")


def write_amass(
    path,
    model: BodyModel,
    betas: np.ndarray,
    pose: np.ndarray,
    translation: np.ndarray,
    frame_rate: float,
    first_frame: int = 0,
) -> None:
    """Write a motion as AMASS' .npz; arguments as of `write_bvh`. The model is SMPL's neutral one.

    first_frame: the number of the video's frame with which the motion begins.
    """
    skeleton = move_skeleton(model, betas, pose, translation, Z_UP @ UPRIGHT)
    turned = np.array(pose, np.float64)
    turned[:, ROOT] = Rotation.from_matrix(skeleton.rotations[:, ROOT]).as_rotvec()
    write_npz(
        Path(path),
        poses=turned.reshape(-1, 3 * NUM_JOINTS),
        betas=np.asarray(betas, np.float64),
        trans=skeleton.root_places - skeleton.rest[ROOT],
        gender=np.array("neutral"),
        mocap_framerate=np.float64(frame_rate),
        mocap_frame_rate=np.float64(frame_rate),
        first_frame=np.int64(first_frame),
    )


def euler_angles(rotations: np.ndarray) -> np.ndarray:
    """Rotations [T, 24, 3, 3] -> degrees [T, 24, 3] in EULER_ORDER, which go on from frame to frame without leaps.

    Two triples of angles are the same rotation, a, b, c and a + 180, 180 - b, c + 180, and full turns may be added. The
    one that is nearest to the frame before is taken.
    """
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler(EULER_ORDER, degrees=True, suppress_warnings=True)
    first = flat.reshape(*rotations.shape[:2], 3)
    second = first * (1, -1, 1) + 180
    angles = first.copy()
    for frame in range(1, len(angles)):
        before = angles[frame - 1]
        choices = [triple[frame] + 360 * np.rint((before - triple[frame]) / 360) for triple in (first, second)]
        distances = [np.abs(choice - before).sum(-1, keepdims=True) for choice in choices]
        angles[frame] = np.where(distances[0] <= distances[1], *choices)
    return angles


def _hierarchy(model: BodyModel, rest: np.ndarray, joint: int) -> list[str]:
    """The lines of a joint and all below it."""
    parent, children = model.parents[joint], np.flatnonzero(model.parents == joint)
    rotation = " ".join(f"{axis}rotation" for axis in EULER_ORDER)
    if parent < 0:
        kind, bone, channels = "ROOT", np.zeros(3), f"6 Xposition Yposition Zposition {rotation}"
    else:
        kind, bone, channels = "JOINT", rest[joint] - rest[parent], f"3 {rotation}"
    inside = [_offset(bone), f"CHANNELS {channels}"]
    for child in children:
        inside += _hierarchy(model, rest, child)
    if not len(children):
        inside += ["End Site", "{", f"\t{_offset(END_SHARE * bone)}", "}"]
    return [f"{kind} {SMPL_JOINTS[joint]}", "{", *(f"\t{line}" for line in inside), "}"]


def _offset(bone: np.ndarray) -> str:
    return "OFFSET {:.6f} {:.6f} {:.6f}".format(*bone.tolist())


def _file_columns(model: BodyModel) -> np.ndarray:
    """[72]: which of the angles, joint by joint, each column of the file has; joints come as the hierarchy has them."""

    def below(joint: int) -> list[int]:
        return [joint, *(each for child in np.flatnonzero(model.parents == joint) for each in below(int(child)))]

    return (3 * np.array(below(ROOT))[:, None] + np.arange(3)).ravel()
