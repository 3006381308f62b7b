"""Outdoor backdrops: ground up to the horizon, a skyline of hills, trees or houses, and a sky with clouds."""

import numpy as np

from synthetic.photographs.floors import paint_floor
from synthetic.photographs.textures import (
    Noise,
    blur,
    cell_shade,
    lay_over,
    lines,
    mix,
    muted_colour,
    pick,
    random_colour,
    smooth_step,
)
from synthetic.photographs.view import Backdrop, View

ANGLE = 0.39  # height of a picture over its focal length, for which the angles, distances and blurs below are given


def landscape(rng: np.random.Generator, view: View) -> Backdrop:
    """Ground up to the horizon, a skyline of hills, trees or houses, and a sky with clouds."""
    distance = view.meet_plane(view.up, view.floor)
    zoom = ANGLE * view.camera.focal / view.height  # a narrow picture shows hills and clouds as large as a wide one
    far = rng.uniform(18, 45) * max(1, zoom)
    ground = distance < far
    length = np.sqrt(np.einsum("hwk,hwk->hw", view.directions, view.directions))
    elevation, azimuth = (view.directions @ axis * zoom / length for axis in (view.up, view.axes[:, 0]))

    zenith, haze = pick(
        rng,
        [
            (4, ((0.16, 0.36, 0.75), (0.62, 0.76, 0.90))),
            (1.5, ((0.45, 0.5, 0.56), (0.75, 0.77, 0.8))),
            (1.2, ((0.22, 0.25, 0.5), (0.95, 0.60, 0.38))),
        ],
    )
    zenith, haze = np.array(zenith) * rng.uniform(0.8, 1.1), np.array(haze)
    height = smooth_step(elevation, -0.02, 0.30)
    clouds = 0.85 * smooth_step(Noise(rng, 0.10, 4)(azimuth, elevation * 2.2), rng.uniform(-0.1, 0.5), 1.0)
    clear = 1 - clouds
    scenery = mix([clear * (1 - height), clear * height, clouds], [haze, zenith, 3 * (0.95,)])
    for layer in range(rng.integers(1, 4)):
        nearness = (layer + 1) / 3
        _skyline(rng, scenery, azimuth, elevation, haze, nearness)
    turn = view.facing(rng.uniform(-60, 60))
    kinds = [(4, "grass"), (2, "sand"), (3, "asphalt"), (2, "paving"), (1, "snow"), (1, "concrete")]
    soil = paint_floor(rng, view, distance, turn, kinds)
    fog = 0.6 * smooth_step(np.minimum(distance, far), 0.3 * far, 1.3 * far)
    colour = blur(scenery, rng.uniform(0.6, 2.2) * view.height / 390)
    lay_over(colour, soil * (1 - fog)[..., None] + mix([0.8 * fog], [haze]), ground)
    normal = np.broadcast_to(view.up, view.directions.shape)
    return Backdrop(colour, np.where(ground, distance, np.inf).astype(np.float32), normal, 4.0, True)


def _skyline(rng, scenery, azimuth, elevation, haze, nearness) -> None:
    """Paint hills, trees or houses on the picture `scenery` [H, W, 3] along the horizon."""
    kind = pick(rng, [(2, "hills"), (2, "trees"), (2, "houses")])
    tint = {
        "hills": random_colour(rng, (0.3, 0.6), (0.1, 0.4)),
        "trees": np.array([0.05, 0.10, 0.03]) * rng.uniform(0.6, 2),
        "houses": muted_colour(rng, (0.4, 0.85)),
    }[kind]
    detail = np.zeros_like(azimuth)
    if kind == "hills":
        top = rng.uniform(0.0, 0.08) + 0.05 * Noise(rng, 0.25, 4)(azimuth, azimuth * 0)
    elif kind == "trees":
        top = rng.uniform(0.02, 0.10) + 0.04 * Noise(rng, 0.05, 4)(azimuth, azimuth * 0)
        detail = 0.5 * Noise(rng, 0.012, 3)(azimuth, elevation)
        top = top + 0.012 * Noise(rng, 0.012, 2)(azimuth, elevation)
    else:
        width = rng.uniform(0.06, 0.14)
        tone = cell_shade(azimuth, azimuth * 0, width, 9.0)
        top = rng.uniform(0.05, 0.12) + 0.06 * tone
        panes = lines(azimuth, width / 5, width / 12) * lines(elevation, 0.028, 0.015)
        detail = 0.2 * tone - 0.55 * panes * rng.uniform(0.5, 1)
    misty = 0.75 - 0.6 * nearness
    shade = np.clip(1 + detail, 0.1, 2)
    lay_over(scenery, mix([(1 - misty) * shade, np.full_like(shade, misty)], [tint, haze]), elevation < top)
