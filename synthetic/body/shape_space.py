"""The mannequin's shape space: ten directions, and their strengths in the male and the female body.

A direction stretches bones and their flesh along the body's axes and may add soft bumps. The skinning weights carry
the stretch to the vertices, so it is smooth. A direction is linear in its strength and moves joints and skin together.
It is described on the left side and mirrored, so it is symmetric.
"""

from dataclasses import dataclass, field

import numpy as np

from synthetic.body.skeleton import FLOOR, joints
from utils.joints import NUM_JOINTS, PARENTS, SMPL_JOINTS

_TORSO = ("pelvis", "spine1", "spine2", "spine3")
_LEG = ("left_hip", "left_knee")
_ARM = ("left_shoulder", "left_elbow")
_ALL = tuple(name for name in SMPL_JOINTS if "right" not in name)


@dataclass(frozen=True)
class Direction:
    """stretch: bone -> relative growth along (x, y, z); bumps: (centre, radii, push) in metres, y above the floor."""

    name: str
    stretch: dict
    bumps: tuple = field(default=())


def _each(names, growth) -> dict:
    return dict.fromkeys(names, growth)


_BELLY = ((0.0, 1.085, 0.10), (0.13, 0.11, 0.12), (0.0, 0.0, 0.020))
_FLANK = ((0.14, 1.070, 0.0), (0.06, 0.09, 0.11), (0.012, 0.0, 0.0))
_BREAST = ((0.080, 1.275, 0.10), (0.055, 0.055, 0.07), (0.003, -0.003, 0.014))
_SEAT = ((0.080, 0.880, -0.11), (0.075, 0.080, 0.08), (0.0, 0.0, -0.010))

# One unit is about one standard deviation among adults (stature: 6.5 cm).
DIRECTIONS = (
    Direction("height", _each(_ALL, (0.038, 0.038, 0.038))),
    Direction(
        "girth",
        _each(_TORSO, (0.055, 0.0, 0.060))
        | _each(_LEG, (0.055, 0.0, 0.055))
        | _each(_ARM, (0.0, 0.070, 0.070))
        | {"neck": (0.05, 0.0, 0.05), "left_collar": (0.02, 0.03, 0.05), "head": (0.02, 0.0, 0.02)},
        (_BELLY, _FLANK, _SEAT),
    ),
    Direction("leg length", _each(_LEG, (0.0, 0.032, 0.0)) | _each(_TORSO, (0.0, -0.040, 0.0))),
    Direction("shoulder width", {"left_collar": (0.110, 0.0, 0.0), "spine3": (0.045, 0.0, 0.02)}),
    Direction("hip width", {"pelvis": (0.065, 0.0, 0.02), "left_hip": (0.035, 0.0, 0.02), "spine1": (0.02, 0, 0)}),
    Direction("arm length", _each((*_ARM, "left_wrist", "left_hand"), (0.035, 0.0, 0.0))),
    Direction("belly", {}, (_BELLY, _FLANK)),
    Direction("chest", {"spine3": (0.01, 0.0, 0.04)}, (_BREAST,)),
    Direction("head size", {"head": (0.045, 0.045, 0.045), "neck": (0.02, 0.0, 0.02)}),
    Direction("limb thickness", _each(_LEG, (0.060, 0.0, 0.060)) | _each(_ARM, (0.0, 0.080, 0.080))),
)  # fmt: skip

# strengths of the directions in the three template bodies
GENDERS = {
    "neutral": {},
    "male": {"height": 0.9, "shoulder width": 1.3, "hip width": -1.0, "limb thickness": 0.5, "chest": -0.3,
             "head size": -0.2, "belly": 0.3},
    "female": {"height": -0.9, "shoulder width": -0.8, "hip width": 1.0, "limb thickness": -0.4, "chest": 1.8,
               "belly": -0.4, "arm length": -0.3},
}  # fmt: skip


def displacement(direction: Direction, vertices: np.ndarray, weights: np.ndarray, places: np.ndarray):
    """How one unit of `direction` moves the skin and the joints.

    Args:
        vertices: [V, 3] metres; weights: [V, 24]; places: [24, 3] the joints of these vertices.
    Returns:
        (offsets [V, 3], joint offsets [24, 3]), metres.
    """
    names = [name.replace("right", "left") for name in SMPL_JOINTS]
    growth = np.array([direction.stretch.get(name, (0.0, 0.0, 0.0)) for name in names])
    moved = np.zeros((NUM_JOINTS, 3))
    for child in range(1, NUM_JOINTS):
        parent = PARENTS[child]
        moved[child] = moved[parent] + growth[parent] * (places[child] - places[parent])
    # sum over joints of weight * (growth * (vertex - joint) + joint's own offset)
    offsets = vertices * (weights @ growth) + weights @ (moved - growth * places)
    for centre, radii, push in direction.bumps:
        for side in (1.0, -1.0) if centre[0] else (1.0,):
            flip = np.array([side, 1.0, 1.0])
            distance = (vertices - (np.array(centre) + (0.0, FLOOR, 0.0)) * flip) / radii
            offsets = offsets + np.exp(-0.5 * (distance**2).sum(axis=1))[:, None] * (flip * push)
    return offsets, moved


def shape_directions(vertices: np.ndarray, weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[V, 3, 10] float64, metres per unit."""
    return np.stack([displacement(d, vertices, weights, places)[0] for d in DIRECTIONS], axis=2)


def gender_template(gender: str, vertices: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(vertices [V, 3], joints [24, 3]) of the neutral, male or female body, from the neutral vertices."""
    places = joints()
    shaped, moved = vertices.copy(), places.copy()
    for direction in DIRECTIONS:
        strength = GENDERS[gender].get(direction.name, 0.0)
        offsets, joint_offsets = displacement(direction, vertices, weights, places)
        shaped += strength * offsets
        moved += strength * joint_offsets
    return shaped, moved
