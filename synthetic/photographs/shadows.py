"""Shadows and ambient occlusion that a person and the things around throw on floor and walls.

Both are smooth, so they are computed at some pixels (the nodes of a grid), and are linear between.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from synthetic.photographs.framing import Sitter
from synthetic.photographs.lighting import Light, lit_share, openness, set_of
from synthetic.photographs.textures import blur, smooth_step
from synthetic.photographs.view import Backdrop
from utils.renderer import Renderer

REACH = 2.4  # metres around the person within which they are computed
LAMP_STEP, SKY_STEP = 2, 4  # pixels between nodes: for the shadows of the lamp, and for occlusion of the sky
LAMP_RAYS, SKY_RAYS = 3, 12  # of each node


@dataclass(frozen=True)
class _Nodes:
    """Every `step`-th pixel of every `step`-th row; close [h, w]: those in reach; their points and normals [n, 3].

    weight [n]: how much of a shadow counts, less and less towards the end of the reach.
    """

    step: int
    close: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    weight: np.ndarray

    @property
    def sets(self) -> np.ndarray:
        """[n]: which set of rays each node gets."""
        return set_of(*np.nonzero(self.close))

    def picture(self, shares: np.ndarray, sigma: float, height: int, width: int) -> np.ndarray:
        """Shares [n] at the close nodes -> [H, W], 1 elsewhere; blurred by `sigma` nodes, which have few rays."""
        nodes = np.ones(self.close.shape, np.float32)
        nodes[self.close] = 1 - self.weight * (1 - shares)
        to_nodes = np.array([[1 / self.step, 0, 0], [0, 1 / self.step, 0]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grid = blur(nodes, sigma)
        return cv2.warpAffine(grid, to_nodes, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _nodes(backdrop: Backdrop, sitter: Sitter, step: int) -> _Nodes:
    view, distance = sitter.view, backdrop.distance[::step, ::step]
    is_surface = np.isfinite(distance)
    points = view.origin + view.directions[::step, ::step] * np.where(is_surface, distance, 0)[..., None]
    offset = points - sitter.vertices.mean(axis=0).astype(np.float32)
    away = np.sqrt(np.einsum("hwk,hwk->hw", offset, offset))
    close = is_surface & (away < REACH)
    normals = backdrop.normal[::step, ::step][close].astype(np.float32)
    return _Nodes(step, close, points[close], normals, 1 - smooth_step(away[close], 0.65 * REACH, REACH))


def light_backdrop(backdrop: Backdrop, sitter: Sitter, scene: Renderer, light: Light, rng) -> np.ndarray:
    """The backdrop [H, W, 3] under the light, with the shadows of the scene."""
    view = sitter.view
    fine, coarse = _nodes(backdrop, sitter, LAMP_STEP), _nodes(backdrop, sitter, SKY_STEP)
    lit = fine.picture(
        lit_share(scene, light, fine.points, fine.normals, fine.sets, rng, LAMP_RAYS),
        0.5 + 9 * light.softness, view.height, view.width,
    )  # fmt: skip
    open_share = coarse.picture(
        openness(scene, coarse.points, coarse.normals, coarse.sets, rng, SKY_RAYS), 1.2, view.height, view.width
    )
    received = light.on(backdrop.normal, lit, open_share)
    received[~np.isfinite(backdrop.distance)] = 1.0
    return backdrop.colour * received
