"""Floors and ground, painted in metres on a plane."""

import numpy as np

from synthetic.photographs.textures import Noise, bricks, checkers, lines, mix, muted_colour, pick, random_colour
from synthetic.photographs.view import View


def paint_floor(rng: np.random.Generator, view: View, distance: np.ndarray, turn: np.ndarray, kinds: list):
    """Linear RGB [H, W, 3] of a floor of one of `kinds`, which are (share, kind).

    distance [H, W]: where the rays meet the floor; turn [3]: the horizontal unit vector that its rows follow.
    """
    u, v = plane_coordinates(view, distance, np.cross(view.up, turn), turn)
    return floor_colour(rng, pick(rng, kinds), u, v, footprint_of(view, distance, view.up))


def plane_coordinates(view: View, distance: np.ndarray, across: np.ndarray, along: np.ndarray):
    """u [H, W], v [H, W]: where rays hit a plane, in metres along two unit vectors; far hits and misses are clipped."""
    reach = np.where(np.isfinite(distance), np.minimum(distance, 400), 0)
    return view.along(across, reach), view.along(along, reach)


def footprint_of(view: View, distance: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """[H, W]: size in metres of a pixel on a plane, along the direction in which it is stretched most."""
    tilt = np.maximum(np.abs(view.directions @ np.float32(normal)), 0.02)
    return np.minimum(distance, 400) / view.camera.focal / tilt


def floor_colour(rng, kind, u, v, footprint):
    """Linear RGB [H, W, 3] of a kind of floor at places u, v [H, W], for pixels of size `footprint`; metres."""
    base = {
        "planks": np.array([0.42, 0.25, 0.13]) * rng.uniform(0.35, 1.5) * rng.uniform(0.9, 1.1, 3),
        "tiles": muted_colour(rng, (0.5, 0.95)),
        "carpet": muted_colour(rng, (0.3, 0.8)),
        "concrete": random_colour(rng, (0.45, 0.8), (0.0, 0.10)),
        "checkers": muted_colour(rng, (0.5, 0.95)),
        "grass": np.array([0.10, 0.20, 0.05]) * rng.uniform(0.7, 1.5) * rng.uniform(0.8, 1.2, 3),
        "sand": np.array([0.55, 0.43, 0.28]) * rng.uniform(0.8, 1.2),
        "asphalt": np.full(3, rng.uniform(0.09, 0.24)),
        "snow": np.array([0.80, 0.85, 0.92]),
        "paving": random_colour(rng, (0.5, 0.8), (0.0, 0.2)),
    }[kind].astype(np.float32)
    fine, coarse = Noise(rng, 0.06, 3), Noise(rng, 0.9, 3)
    visible = np.clip(0.15 / footprint, 0, 1)
    shade = 0.06 * coarse(u, v)
    if kind == "planks":
        seams, tone = bricks(u, v, rng.uniform(0.09, 0.2), rng.uniform(1.0, 2.0), 0.006, footprint, 0.37)
        grain = Noise(rng, 0.02, 2, stretch=12.0)(u, v) * np.clip(0.05 / footprint, 0, 1)
        shade = shade + visible * (0.16 * tone + 0.08 * grain) - 0.6 * seams
    elif kind in ("tiles", "paving"):
        size = rng.uniform(0.25, 0.6)
        seams, tone = bricks(
            u, v, size, size * rng.choice([1.0, 1.0, 2.0]), 0.012, footprint, 0.0 if kind == "tiles" else 0.5
        )
        shade = shade + 0.07 * visible * tone - 0.45 * seams
    elif kind == "checkers":
        size = rng.uniform(0.3, 0.6)
        shade = shade - 0.55 * checkers(u, v, size) * np.clip(size / footprint, 0, 1)
    else:
        rough = {"carpet": 0.10, "concrete": 0.05, "grass": 0.35, "sand": 0.12, "asphalt": 0.20, "snow": 0.03}[kind]
        patches = {"grass": 0.16, "concrete": 0.06}.get(kind, 0.05)
        shade = shade + rough * fine(u, v) * visible + patches * coarse(u * 0.5, v * 0.5)
    shade = np.clip(1 + shade, 0.05, 2)
    if kind == "asphalt" and rng.random() < 0.6:
        stripe = 0.5 * lines(u, rng.uniform(2.5, 4), 0.12, footprint)
        return mix([shade * (1 - stripe), stripe], [base, (1, 1, 1)])
    return mix([shade], [base])
