"""Light in a synthetic photograph: a sun or lamp, the sky, light reflected by the ground, and shadows.

Rays against the person and the things around find shadows and ambient occlusion.
"""

from dataclasses import dataclass

import numpy as np

from synthetic.photographs.textures import pick
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

    def on(self, normals: np.ndarray, lit: np.ndarray, openness: np.ndarray) -> np.ndarray:
        """Light [..., 3] on surfaces of unit normals [..., 3]; lit and openness [...] in [0, 1]."""
        lambert = np.clip(normals @ self.direction, 0, 1) * lit
        above = 0.5 + 0.5 * (normals @ self.up)
        ambient = above[..., None] * self.sky + (1 - above)[..., None] * self.ground
        return lambert[..., None] * self.direct + openness[..., None] * ambient

    def highlight(self, normals: np.ndarray, lit: np.ndarray, shininess: float = 18.0) -> np.ndarray:
        """Strength [N] of the mirror-like reflection towards the viewer."""
        half_way = unit(self.direction + np.array([0, 0, -1], np.float32))
        return np.clip(normals @ half_way, 0, 1) ** shininess * lit


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


def lit_samples(scene: Renderer, light: Light, points: np.ndarray, normals: np.ndarray, corner: np.ndarray):
    """[N]: 1 where a point sees the lamp. corner [N], 0 to 3: which of the four samples of its pixel a point is."""
    across = unit(np.cross(light.direction, light.up + np.array([1e-3, 0, 0])))
    upwards = np.cross(across, light.direction)
    spread = min(light.softness, 0.06) * _DISC
    directions = light.direction + spread[:, :1] * across + spread[:, 1:] * upwards
    return scene.visible_from(points + OFFSET * normals, directions[corner]).astype(np.float32)


def lit_share(scene: Renderer, light: Light, points: np.ndarray, normals: np.ndarray, rng, rays: int):
    """[N]: share of the lamp that points [N, 3] with normals [N, 3] see; a noisy estimate by `rays` random rays."""
    seen = np.zeros(len(points), np.float32)
    starts = points + OFFSET * normals
    for _ in range(rays):
        directions = light.direction + light.softness * rng.standard_normal(points.shape, np.float32)
        seen += scene.visible_from(starts, directions)
    return seen / rays


def openness(scene: Renderer, points: np.ndarray, normals: np.ndarray, rng, rays: int = 12) -> np.ndarray:
    """[N]: the unblocked share of the half-space above each point, weighted by the cosine."""
    starts = points + OFFSET * normals
    # a point on the unit sphere added to the normal is cosine-distributed
    turned = unit(rng.standard_normal((rays, *points.shape), np.float32))
    directions = unit(normals + 0.98 * turned).reshape(-1, 3)
    seen = scene.visible_from(np.tile(starts, (rays, 1)), directions)
    return seen.reshape(rays, -1).mean(axis=0)
