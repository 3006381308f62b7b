"""Draw natural body poses: hand-written key poses are mixed, mirrored and varied within joint limits.

A pose is first a vector of angles with an everyday meaning (PARAMETERS: "left elbow bent by 90 degrees"), which are
simple to mix, mirror and limit; `axis_angles` turns it into the 24 joint rotations of SMPL. The angles start from
SMPL's rest pose: arms horizontal, y up, facing +z, left = +x. A pose in which an arm or leg sinks into the body is
drawn again.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.photographs.key_poses import ARM, KEY_POSES, LEG, TRUNK, KeyPose
from utils.body_model import BodyModel, pose_tree, shape_vertices
from utils.joints import NUM_JOINTS, SMPL_JOINTS, flip_permutation, indices
from utils.rotations import rotation_matrices

PARAMETERS = (*TRUNK, *(f"{side}_{name}" for side in ("left", "right") for name in (*ARM, *LEG)))
LIMITS = {**TRUNK, **{f"{side}_{name}": limit for side in ("left", "right") for name, limit in {**ARM, **LEG}.items()}}
_LOW, _HIGH = (np.array([LIMITS[name][end] for name in PARAMETERS], dtype=float) for end in (0, 1))
_NEUTRAL = {"arm_out": 12.0, "elbow": 12.0, "leg_out": 3.0, "leg_turn": 6.0, "knee": 2.0}

# standard deviation of the noise on each angle, as a share of the joint's range
NOISE_SHARE = 0.05
# in these families the noise on legs and trunk is multiplied by STEADY
STEADY_FAMILIES = {"stand", "hips", "arms", "bend", "sit"}
STEADY = 0.35
# overlap between a limb and the rest of the body that is accepted, because flesh is soft; metres
TOLERANCE = 0.02
ATTEMPTS = 40

# a mirror changes the sign of the trunk's sideways angles
_SIGN_IN_MIRROR = np.array(
    [-1.0 if name.endswith(("_side", "_twist", "_tilt")) and "arm" not in name else 1.0 for name in PARAMETERS]
)

_TRUNK_JOINTS = indices(("spine1", "spine2", "spine3", "neck", "head"), SMPL_JOINTS)
_PAIRS = {
    joint: indices((f"left_{joint}", f"right_{joint}"), SMPL_JOINTS)
    for joint in ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
_STANDS = np.array([name in TRUNK or name.partition("_")[2] in LEG for name in PARAMETERS])
_MIRROR_ORDER = flip_permutation(PARAMETERS)


def parameters_of(key: KeyPose) -> np.ndarray:
    """The angles of a key pose, [P] degrees, in the order of PARAMETERS."""
    angles = dict.fromkeys(PARAMETERS, 0.0)
    for side, given in (("left", key.left), ("right", key.right)):
        angles.update({f"{side}_{name}": value for name, value in {**_NEUTRAL, **given}.items()})
    angles.update(key.trunk)
    return np.array([angles[name] for name in PARAMETERS])


def mirror(parameters: np.ndarray) -> np.ndarray:
    """The same pose seen in a mirror, [P] -> [P] degrees."""
    return (parameters * _SIGN_IN_MIRROR)[_MIRROR_ORDER]


@dataclass(frozen=True)
class SampledPose:
    """A drawn pose: `pose` [72] axis-angles with the root at rest, its angles [P], and whether it needs a seat."""

    pose: np.ndarray
    parameters: np.ndarray
    seated: bool = False
    family: str = field(default="")


def sample_pose(rng: np.random.Generator, model: BodyModel, betas: np.ndarray) -> SampledPose:
    """Draw a pose for a body of shape `betas` [10]; the angles respect LIMITS and limbs stay out of the body."""
    joints, radii = rest_skeleton(model, betas)
    families = sorted({key.family for key in KEY_POSES})
    weights = np.array([sum(key.weight for key in KEY_POSES if key.family == name) for name in families])
    family = families[rng.choice(len(families), p=weights / weights.sum())]
    keys = [key for key in KEY_POSES if key.family == family]
    best, least = SampledPose(np.zeros(3 * NUM_JOINTS), np.zeros(len(PARAMETERS))), np.inf
    for _ in range(ATTEMPTS):
        parameters = _draw(rng, keys)
        pose = axis_angles(parameters)
        overlap = self_overlap(forward_kinematics(pose, joints, model.parents), radii)
        if overlap < least:
            best, least = SampledPose(pose, parameters, keys[0].seated, family), overlap
        if overlap <= TOLERANCE:
            break
    return best


def _draw(rng: np.random.Generator, keys: list) -> np.ndarray:
    shares = np.array([key.weight for key in keys])
    first, second = (parameters_of(keys[rng.choice(len(keys), p=shares / shares.sum())]) for _ in range(2))
    # mostly close to one key pose, sometimes half way between two
    parameters = first + (second - first) * rng.beta(0.6, 1.8)
    parameters = parameters + rng.normal(size=len(PARAMETERS)) * NOISE_SHARE * (_HIGH - _LOW) * (
        np.where(_STANDS, STEADY, 1.0) if keys[0].family in STEADY_FAMILIES else 1.0
    )
    if rng.random() < 0.5:
        parameters = mirror(parameters)
    return np.clip(parameters, _LOW, _HIGH)


def axis_angles(parameters: np.ndarray) -> np.ndarray:
    """Angles [P] degrees -> pose [72], axis-angle radians, root at rest."""
    angle = dict(zip(PARAMETERS, np.clip(parameters, _LOW, _HIGH), strict=True))
    pose = np.zeros((NUM_JOINTS, 3))
    trunk = np.array([angle["spine_twist"], angle["spine_bend"], angle["spine_side"]])
    head = np.array([angle["head_twist"], angle["head_nod"], angle["head_tilt"]])
    turns = [0.3 * trunk, 0.4 * trunk, 0.3 * trunk, 0.45 * head, 0.55 * head]
    pose[_TRUNK_JOINTS] = Rotation.from_euler("YXZ", turns, degrees=True).as_rotvec()
    limbs = {name: np.array([angle[f"{side}_{name}"] for side in ("left", "right")]) for name in (*ARM, *LEG)}
    for joint, rotations in _limb_rotations(limbs).items():
        # the angles describe the left side; a mirror changes the signs of the y and z parts of a rotation
        pose[_PAIRS[joint]] = rotations.as_rotvec() * [[1, 1, 1], [1, -1, -1]]
    return pose.ravel()


def _limb_rotations(limbs: dict) -> dict:
    """Rotations [2] of arms' and legs' joints, by their names without a side, from angles [2] (left, right) in degrees.

    Both are those of a left limb.
    """
    # the shoulder blade takes part once the arm is well above hanging
    lift = 0.2 * np.maximum(0.0, limbs["arm_out"] - 40) + 0.12 * np.maximum(0.0, limbs["arm_swing"] - 60)
    collar = _euler("Z", lift)
    arm = _euler("XZX", -limbs["arm_swing"], limbs["arm_out"] - 90, limbs["arm_twist"])
    return {
        "collar": collar,
        "shoulder": collar.inv() * arm,
        "elbow": _euler("YX", -limbs["elbow"], limbs["forearm_turn"]),
        "wrist": _euler("Z", -limbs["wrist"]),
        "hip": _euler("XZY", -limbs["leg_swing"], limbs["leg_out"], limbs["leg_turn"]),
        "knee": _euler("X", limbs["knee"]),
        "ankle": _euler("X", limbs["ankle"]),
    }


def _euler(axes: str, *angles: np.ndarray) -> Rotation:
    """Rotations [n] by angles [n] in degrees about `axes`, one after the other."""
    return Rotation.from_euler(axes, np.stack(angles, axis=1), degrees=True)


def rest_skeleton(model: BodyModel, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints [24, 3] of the shaped rest body and, per joint, the mean radius [24] of the flesh it carries, metres."""
    vertices = shape_vertices(model, betas)
    joints = model.joint_regressor @ vertices
    # the flesh of a joint lies around the bone to its first child, or around the joint
    ends = np.arange(NUM_JOINTS)
    for joint in range(NUM_JOINTS - 1, 0, -1):
        ends[model.parents[joint]] = joint
    distance = _distance_to_segment(vertices, joints[model.owners], joints[ends[model.owners]])
    count = np.bincount(model.owners, minlength=NUM_JOINTS)
    return joints, np.bincount(model.owners, distance, NUM_JOINTS) / np.maximum(count, 1)


def forward_kinematics(pose: np.ndarray, joints: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Joint positions [24, 3] of a skeleton posed by axis-angles [72]."""
    return pose_tree(parents, rotation_matrices(pose.reshape(NUM_JOINTS, 3)), joints)[1]


# bones as (joint, joint); limbs must not overlap with them or with each other
_TRUNK = indices(("pelvis", "spine1", "spine2", "spine3", "neck"), SMPL_JOINTS)
_TRUNK_BONES = tuple(zip(_TRUNK[:-1], _TRUNK[1:], strict=True))
_NECK, _HEAD = indices(("neck", "head"), SMPL_JOINTS)
_HEAD_BONE = (_NECK, _HEAD)
# elbow, wrist, hand, hip, knee and ankle of the left and the right side
_LIMBS = tuple(
    indices((f"{side}_{name}" for name in ("elbow", "wrist", "hand", "hip", "knee", "ankle")), SMPL_JOINTS)
    for side in ("left", "right")
)


def self_overlap(joints: np.ndarray, radii: np.ndarray) -> float:
    """How deep, in metres, the worst limb of posed joints [24, 3] sinks into trunk, head or another limb."""
    worst = 0.0
    for (elbow, wrist, hand, thigh, knee, ankle), other in zip(_LIMBS, _LIMBS[::-1], strict=True):
        other_leg = ((other[3], other[4]), (other[4], other[5]))
        finger_tips = joints[hand] + (joints[hand] - joints[wrist])
        forearm = _points_between(joints[elbow] * 0.6 + joints[wrist] * 0.4, finger_tips)
        shin = _points_between(joints[knee], joints[ankle])
        worst = max(
            worst,
            _sinking(forearm, radii[wrist], joints, radii, (*_TRUNK_BONES, _HEAD_BONE, (thigh, knee), *other_leg)),
            _sinking(shin, 0.8 * radii[knee], joints, radii, other_leg),
            _sinking(shin[4:], radii[ankle], joints, radii, _TRUNK_BONES[:1]),
        )
    arms = [_points_between(joints[elbow], joints[wrist]) for elbow, wrist, *_ in _LIMBS]
    nearest = np.linalg.norm(arms[0][:, None] - arms[1][None], axis=-1).min()
    return max(worst, 2 * radii[_LIMBS[0][0]] - nearest)


def _points_between(start: np.ndarray, end: np.ndarray, count: int = 8) -> np.ndarray:
    return start + np.linspace(0, 1, count)[:, None] * (end - start)


def _sinking(points: np.ndarray, radius: float, joints: np.ndarray, radii: np.ndarray, bones: tuple) -> float:
    """How deep points [P, 3] with flesh of `radius` around them sink into the flesh of `bones`."""
    starts, ends = (list(end) for end in zip(*bones, strict=True))
    around, tips = radii[starts], joints[ends].copy()
    if _HEAD_BONE in bones:
        # the flesh of the head belongs to the head joint, which lies at the end of this bone
        head = bones.index(_HEAD_BONE)
        around[head], tips[head] = radii[_HEAD], 2 * joints[_HEAD] - joints[_NECK]
    distance = _distance_to_segment(points[:, None], joints[starts], tips)
    return float((around + radius - distance).max())


def _distance_to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """[...]: distances of points [..., 3] to segments from start to end [..., 3]; shapes are broadcast."""
    along, offset = end - start, points - start
    share = np.clip(_dot(offset, along) / np.maximum(_dot(along, along), 1e-12), 0, 1)
    offset = offset - share[..., None] * along
    return np.sqrt(_dot(offset, offset))


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum("...k,...k->...", first, second)
