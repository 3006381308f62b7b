"""The bodies of women, men and adults in general: their mean, and ten directions in which they differ most.

Adults are drawn from MakeHuman's shapes and brought to the T pose. A body's template is their mean, and its shape
directions are their principal components: one unit is one standard deviation.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.body.makehuman import MakeHuman
from synthetic.body.phenotypes import ORIGINS, Adult, shape_adults
from synthetic.body.rig import joint_vertices
from synthetic.body.skin import Skin
from utils.body_model import NUM_BETAS
from utils.joints import ROOT, SMPL_FLIP, SMPL_JOINTS
from utils.own_body.rest_pose import straight_arms, turn_parts

GENDERS = {"neutral": (0.0, 1.0), "male": (1.0, 1.0), "female": (0.0, 0.0)}  # limits of Adult.male
NUM_ADULTS = 150  # that are drawn for each body
# The average adult is this much taller than MakeHuman's; the standard deviation is about 6 cm. Both in units of its
# height, which changes more upwards than downwards.
_TALLER, _UP, _DOWN = 0.1, 0.08, 0.14
_BUILD = 0.45  # standard deviation of muscle, weight and proportions
_OLDEST = 0.6
_EVEN = 3.0  # of the Dirichlet distribution of origins; more is more even
LEGS_APART = 2.5  # degrees from hip to ankle, about SMPL's
PELVIS = np.array([0.0, -0.22, 0.0])  # where SMPL has it, about; metres
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Body:
    """vertices [V, 3] and joints [24, 3] at rest, shape directions [V, 3, 10]; metres.

    explained: share of the variance of the adults' vertices that the directions hold.
    """

    vertices: np.ndarray
    joints: np.ndarray
    directions: np.ndarray
    explained: float


def make_bodies(data: MakeHuman, skin: Skin, weights: np.ndarray) -> dict[str, Body]:
    """The bodies by the names of GENDERS; weights [V, 24]."""
    rng = np.random.default_rng(0)
    adults = [draw_adult(rng, *limits) for limits in GENDERS.values() for _ in range(NUM_ADULTS)]
    marks = joint_vertices(data)
    places = shape_adults(data, adults, np.concatenate([skin.source, *marks]))
    ends = np.cumsum([len(skin.source), *map(len, marks)])
    joints = np.stack([part.mean(axis=1) for part in np.split(places, ends[:-1], axis=1)[1:]], axis=1)
    at_rest = [
        rest_pose(vertices, joint, weights)
        for vertices, joint in zip(places[:, : len(skin.source)], joints, strict=True)
    ]
    return {
        gender: _summarise(at_rest[number * NUM_ADULTS : (number + 1) * NUM_ADULTS], skin)
        for number, gender in enumerate(GENDERS)
    }


def draw_adult(rng: np.random.Generator, least_male: float, most_male: float) -> Adult:
    """A random adult."""
    height = rng.normal()
    build = np.clip(rng.normal(0, _BUILD, 3), -1, 1)
    origins = rng.dirichlet(np.full(len(ORIGINS), _EVEN))
    return Adult(
        male=rng.uniform(least_male, most_male),
        old=rng.uniform(0, _OLDEST),
        muscle=build[0],
        weight=build[1],
        height=float(np.clip(_TALLER + height * (_UP if height > 0 else _DOWN), -1, 1)),
        proportions=build[2],
        origins=tuple(origins),
    )


def rest_pose(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MakeHuman's standing body [V, 3], joints [24, 3], in SMPL's T pose, its pelvis at PELVIS."""
    turns = straight_arms(joints)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle = (SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        leg = joints[ankle] - joints[hip]
        apart = np.degrees(np.arctan2(sign * leg[0], -leg[1]))
        turns[[hip, knee]] = Rotation.from_euler("z", -sign * (apart - LEGS_APART), degrees=True).as_matrix()
    vertices, joints = turn_parts(vertices, joints, weights, turns)
    shift = PELVIS - joints[ROOT]
    return vertices + shift, joints + shift


def _summarise(at_rest: list[tuple[np.ndarray, np.ndarray]], skin: Skin) -> Body:
    vertices, joints = (np.stack(part) for part in zip(*at_rest, strict=True))
    vertices = (vertices + vertices[:, skin.mirror] * MIRROR) / 2
    joints = (joints + joints[:, SMPL_FLIP] * MIRROR) / 2
    template = vertices.mean(axis=0)
    offsets = (vertices - template).reshape(len(vertices), -1) / np.sqrt(len(vertices) - 1)
    variances, adults = np.linalg.eigh(offsets @ offsets.T)  # much smaller than the covariance of the vertices
    directions = (adults[:, : -NUM_BETAS - 1 : -1].T @ offsets).reshape(NUM_BETAS, *template.shape)
    directions = (directions + directions[:, skin.mirror] * MIRROR) / 2
    directions *= np.where(_growth(template, skin.faces, directions) < 0, -1.0, 1.0)[:, None, None]
    explained = float(variances[-NUM_BETAS:].sum() / variances.sum())
    return Body(template, joints.mean(axis=0), np.moveaxis(directions, 0, 2), explained)


def _growth(vertices: np.ndarray, faces: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """By how much the volume grows along each direction [K, V, 3]: so a positive beta is a bigger body."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.einsum("kfci,fi->k", directions[:, faces], normals)
