"""Light in a synthetic photograph: a sun or lamp, the sky, light reflected by the ground, and shadows.

Rays against the person and the things around find shadows and ambient occlusion.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.photographs.textures import mix, pick
from synthetic.photographs.view import View
from utils.renderer import Renderer, unit

OFFSET = 4e-3  # metres between a surface and the start of its rays


@dataclass(frozen=True)
class Light:
    """direction, up [3]: unit vectors, the first towards the light. direct, sky, ground [3]: linear RGB strengths."""

    direction: np.ndarray
    direct: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    up: np.ndarray
    softness: float

    @property
    def across(self) -> np.ndarray:
        """[2, 3]: unit vectors at right angles to the direction and to each other."""
        aside = unit(np.cross(self.direction, self.up + np.array([1e-3, 0, 0])))
        return np.stack([aside, np.cross(aside, self.direction)])

    def on(self, normals: np.ndarray, lit: np.ndarray, openness: np.ndarray) -> np.ndarray:
        """Light [..., 3] on surfaces of unit normals [..., 3]; lit and openness [...] in [0, 1]."""
        lambert = np.maximum(normals @ self.direction, 0) * lit
        above = 0.5 * openness * (1 + normals @ self.up)
        return mix([lambert, above, openness - above], [self.direct, self.sky, self.ground])

    def highlight(self, normals: np.ndarray, lit: np.ndarray, shininess: float = 18.0) -> np.ndarray:
        """Strength [N] of the mirror-like reflection towards the viewer."""
        half_way = unit(self.direction + np.array([0, 0, -1], np.float32))
        return np.clip(normals @ half_way, 0, 1) ** np.float32(shininess) * lit


def sample_light(rng: np.random.Generator, view: View, outdoors: bool) -> Light:
    """Draw a light that comes mostly from above and from the viewer's side."""
    azimuth = np.radians(np.clip(rng.normal(0, 55), -120, 120))
    height = np.radians(rng.uniform(25, 68))
    direction = view.axes @ [np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)]
    warm = rng.uniform(-0.10, 0.14)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    mood = pick(rng, [(3, "sunny"), (2, "overcast")]) if outdoors else pick(rng, [(3, "lamp"), (3, "soft")])
    direct, ambient = {"sunny": (1.05, 0.42), "overcast": (0.35, 0.78), "lamp": (0.85, 0.48), "soft": (0.5, 0.68)}[mood]
    direct, ambient = direct * rng.uniform(0.85, 1.1), ambient * rng.uniform(0.85, 1.1)
    sky = ambient * (np.array([0.90, 1.0, 1.12]) if outdoors else tint)
    ground = ambient * 0.55 * (np.array([1.05, 1.0, 0.85]) if outdoors else tint)
    softness = {"sunny": 0.02, "overcast": 0.25, "lamp": 0.06, "soft": 0.18}[mood]
    return Light(
        direction=np.asarray(direction, np.float32),
        direct=np.asarray(direct * tint, np.float32),
        sky=np.asarray(sky, np.float32),
        ground=np.asarray(ground, np.float32),
        up=np.asarray(view.up, np.float32),
        softness=softness,
    )


# places on a disc, one for each of the four samples of a pixel: together they see a wide lamp without noise
_DISC = np.array([[0.35, 0.85], [0.85, -0.35], [-0.35, -0.85], [-0.85, 0.35]])
GOLDEN_TURN = np.pi * (1 + 5**0.5)
SETS = 16  # sets of rays; neighbouring points have different ones, so that a blur averages over all of them


def set_of(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """[N]: which of the SETS of rays a point of a grid gets, by its row and column [N]."""
    return 4 * (row % 4) + column % 4


def lit_samples(scene: Renderer, light: Light, points: np.ndarray, normals: np.ndarray, corner: np.ndarray):
    """[N]: 1 where a point sees the lamp. corner [N], 0 to 3: which of the four samples of its pixel a point is."""
    directions = (light.direction + min(light.softness, 0.06) * _DISC @ light.across).astype(np.float32)
    lit = np.zeros(len(points), np.float32)
    # what is turned away from the lamp does not see it
    facing = np.flatnonzero(normals @ light.direction > 0)
    starts = points.take(facing, axis=0) + np.float32(OFFSET) * normals.take(facing, axis=0)
    lit[facing] = scene.visible_from(starts, directions.take(corner[facing], axis=0))
    return lit


def lit_share(
    scene: Renderer, light: Light, points: np.ndarray, normals: np.ndarray, chosen: np.ndarray, rng, rays: int
):
    """[N]: share of the lamp that points [N, 3] with normals [N, 3] see.

    An estimate by `rays` rays; chosen [N]: which of the SETS of rays a point gets.
    """
    # a normal distribution, as points of a spiral by the golden ratio; each set has some from all its windings
    place = (np.arange(rays * SETS) + rng.random()).reshape(rays, SETS).T
    away, turn = np.sqrt(-2 * np.log1p(-place / (rays * SETS))), GOLDEN_TURN * place
    spread = light.softness * np.stack([away * np.cos(turn), away * np.sin(turn)], axis=-1) @ light.across
    return _unblocked(scene, points, normals, (light.direction + spread).astype(np.float32).take(chosen, axis=0))


def openness(
    scene: Renderer, points: np.ndarray, normals: np.ndarray, chosen: np.ndarray, rng, rays: int
) -> np.ndarray:
    """[N]: the unblocked share of the half-space above each point, weighted by the cosine; see `lit_share`."""
    # a point on the unit sphere added to the normal is cosine-distributed
    turned = np.float32(0.98) * _spheres(rng, rays).take(chosen, axis=0)
    return _unblocked(scene, points, normals, unit(normals[:, None] + turned))


def _unblocked(scene: Renderer, points: np.ndarray, normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """[N]: the share of the rays along directions [N, R, 3] that meet nothing."""
    count, rays = directions.shape[:2]
    starts = np.repeat(points + np.float32(OFFSET) * normals, rays, axis=0)
    seen = scene.visible_from(starts, directions.reshape(-1, 3))
    return seen.reshape(count, rays).mean(axis=1, dtype=np.float32)


def _spheres(rng: np.random.Generator, rays: int) -> np.ndarray:
    """[SETS, rays, 3] float32: points spread evenly over the unit sphere, each set turned at random."""
    place = np.arange(rays) + 0.5
    height, turn = 1 - 2 * place / rays, GOLDEN_TURN * place  # a spiral again
    ring = np.sqrt(1 - height**2)
    points = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
    return (points @ Rotation.random(SETS, rng).as_matrix()).astype(np.float32)
