"""The mesh of a skirt: a tube around hips and thighs at rest, which falls from the widest place and has folds."""

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.hanging import SKIRT, Hanging, girth, hang
from synthetic.photographs.textures import smooth_step

RINGS, SIDES = 12, 40
GAP = 0.008  # metres between skirt and body
FLARE = (0.1, 0.45)  # metres outwards per metre of length


def skirt(outfit: Outfit, vertices: np.ndarray, marks: Landmarks) -> Hanging:
    """The skirt of an outfit on a body whose vertices [V, 3] are at rest."""
    rng = np.random.default_rng([outfit.seed, 2])
    hem = np.interp(outfit.leg_length, (0, 1, 2), marks.leg[:3])
    heights = np.linspace(marks.waist + 0.03, hem, RINGS)
    angles = np.arange(SIDES) * 2 * np.pi / SIDES
    axis = (0.0, float(marks.neck[2]))
    legs = vertices[np.abs(vertices[:, 0]) < marks.arm[0] + 0.12]
    body = girth(legs, axis, heights, angles, 0.7 * (heights[0] - heights[1]) + 0.01)
    body = np.maximum(body, np.maximum(np.roll(body, 1, axis=1), np.roll(body, -1, axis=1)))
    # cloth spans the hollow between the legs and hangs down from the widest place
    spanned = np.maximum.accumulate(np.maximum(body, 0.9 * _smooth_around(body)), axis=0)
    fallen = np.clip((heights[0] - heights) / (heights[0] - hem), 0, 1)[:, None]
    radius = spanned + GAP * (0.2 + 0.8 * fallen) + rng.uniform(*FLARE) * fallen * (heights[0] - hem)
    folds = rng.integers(5, 10)
    radius = radius * (1 + 0.045 * fallen * np.sin(folds * angles + rng.uniform(0, 6)))
    rings = np.stack(
        [
            axis[0] + radius * np.sin(angles),
            np.broadcast_to(heights[:, None], radius.shape),
            axis[1] + radius * np.cos(angles),
        ],
        axis=-1,
    )

    def weights(points: np.ndarray) -> dict[str, np.ndarray]:
        below_hip = smooth_step(marks.leg[0] - points[:, 1], -0.04, 0.22)
        left = smooth_step(points[:, 0], -0.14, 0.14)
        return {"pelvis": 1 - below_hip, "left_hip": below_hip * left, "right_hip": below_hip * (1 - left)}

    return hang(SKIRT, rings, weights, closed=True)


def _smooth_around(radius: np.ndarray) -> np.ndarray:
    """Mean of radii [R, S] over the neighbours on a ring, a sixth of it to each side."""
    reach = radius.shape[1] // 6
    return np.mean([np.roll(radius, shift, axis=1) for shift in range(-reach, reach + 1)], axis=0)
