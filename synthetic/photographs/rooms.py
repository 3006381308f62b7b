"""Indoor backdrops: a room with walls, skirting board, pictures and windows, and a photographer's studio."""

import numpy as np

from synthetic.photographs.floors import footprint_of, paint_floor, plane_coordinates
from synthetic.photographs.textures import (
    Noise,
    between,
    blur,
    bricks,
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

OUT_OF_FOCUS = 0.6  # pixels


def room(rng: np.random.Generator, view: View) -> Backdrop:
    """A corner or a wall of a room: floor, one or two walls, skirting board, pictures and windows."""
    depth = rng.uniform(1.3, 4.0)
    yaw = rng.uniform(-28, 28)
    towards = view.facing(yaw)
    aside = np.cross(view.up, towards)
    distance = np.minimum(view.meet_plane(view.up, view.floor), 60.0)
    normal = np.broadcast_to(view.up, view.directions.shape).copy()
    floor_turn = view.facing(yaw + rng.choice([0, 90, 45, 0]))
    kinds = [(4, "planks"), (2, "tiles"), (2, "carpet"), (2, "concrete"), (1, "checkers")]
    colour = paint_floor(rng, view, distance, floor_turn, kinds)
    skirting = random_colour(rng, (0.6, 1.0), (0, 0.2)) if rng.random() < 0.7 else None
    paint = _wall_paint(rng)
    walls = [(towards, aside, -depth)]
    if rng.random() < 0.5:
        side = rng.choice([-1.0, 1.0])
        walls.append((side * aside, towards, -rng.uniform(1.2, 2.6)))
    for wall, along, level in walls:
        if view.origin @ wall < level + 0.1:
            continue  # the camera would look through this wall from outside
        met = view.meet_plane(wall, level)
        nearer = met < distance
        u, v = plane_coordinates(view, met, along, view.up)
        painted = paint(rng, u, v - view.floor, footprint_of(view, met, wall))
        if skirting is not None:
            painted[v - view.floor < 0.09] = skirting
        lay_over(colour, painted, nearer)
        distance = np.minimum(met, distance)
        normal[nearer] = wall
    # the lens is focused on the person; this also smooths the edges of what has one sample per pixel
    return Backdrop(blur(colour, OUT_OF_FOCUS), distance, normal, depth, False)


def _wall_paint(rng: np.random.Generator):
    """Draw how the walls of a room look: a function (rng, u, v above the floor, footprint) -> colour [H, W, 3]."""
    base = muted_colour(rng, (0.6, 0.97))
    second = np.clip(base * rng.uniform(0.5, 0.85), 0, 1)
    kind = pick(rng, [(4, "paint"), (2, "stripes"), (1.5, "brick"), (1.5, "panels"), (1.5, "two tones"), (1, "tiles")])
    period, rail = rng.uniform(0.12, 0.5), rng.uniform(0.8, 1.2)
    mortar = random_colour(rng, (0.5, 0.9), (0, 0.1))
    coarse = Noise(rng, 0.7, 3)

    def paint(rng, u, v, footprint):
        shade, other, share = 1 + 0.05 * coarse(u, v), second, np.zeros_like(u)
        if kind == "stripes":
            share = lines(u, period, period / 2, footprint)
        elif kind in ("brick", "tiles"):
            height, length = (0.075, 0.22) if kind == "brick" else (0.15, 0.15)
            share, tone = bricks(v, u, height, length, 0.01, footprint, 0.5 if kind == "brick" else 0.0)
            shade, other = shade * (1 + (0.18 if kind == "brick" else 0.04) * tone), mortar
        elif kind == "panels":
            tone = cell_shade(u, v * 0, period, 9.0)
            shade = shade * (1 + 0.12 * tone - 0.5 * lines(u, period, 0.012, footprint))
        elif kind == "two tones":
            share = (v < rail).astype(np.float32)
        colour = mix([shade * (1 - share), share], [base, other])
        taken: list[tuple] = []
        for _ in range(rng.integers(0, 5)):
            _hang_picture(rng, colour, u, v, taken)
        return colour

    return paint


def _hang_picture(rng, colour, u, v, taken):
    """Paint a picture, window or door on the `colour` [H, W, 3] of a wall unless it would overlap with an earlier one.

    u, v [H, W]: places on the wall. taken: the (from, to) of earlier ones along the wall, metres; the new one is added.
    """
    kind = pick(rng, [(4, "picture"), (2, "window"), (1, "door")])
    width, height = {
        "picture": (rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.8)),
        "window": (rng.uniform(0.8, 1.5), rng.uniform(0.9, 1.3)),
        "door": (0.9, 2.05),
    }[kind]
    middle, bottom = rng.uniform(-2.2, 2.2), {"picture": rng.uniform(1.1, 1.6), "window": 0.95, "door": 0.0}[kind]
    span = (middle - width / 2 - 0.12, middle + width / 2 + 0.12)
    if any(span[0] < end and start < span[1] for start, end in taken):
        return
    taken.append(span)
    inside = np.flatnonzero((np.abs(u - middle) < width / 2) & (v > bottom) & (v < bottom + height))
    if not len(inside):
        return
    x, y = (u.ravel()[inside] - middle) / (width / 2), (v.ravel()[inside] - bottom) / height
    edge = np.minimum((1 - np.abs(x)) * width / 2, np.minimum(y, 1 - y) * height)
    frame = random_colour(rng, (0.1, 0.95), (0.0, 0.4))
    first, second = muted_colour(rng), random_colour(rng, (0.3, 0.9), (0.1, 0.55))
    if kind == "window":
        first, second = np.array([0.75, 0.87, 1.0]), np.array([0.45, 0.6, 0.75])
        edge = np.minimum(edge, np.abs(x) * width / 2 + 0.015)
    art = 0.5 + 0.5 * Noise(rng, width / 2.5, 2)(x * width / 2, y * height) if kind == "picture" else y
    if kind == "door":
        first, second = frame * 0.8, frame * 0.85
    panel = between(first, second, smooth_step(art, 0.3, 0.7))
    panel[edge < 0.045] = frame
    colour.reshape(-1, 3)[inside] = panel


def studio(rng: np.random.Generator, view: View) -> Backdrop:
    """A seamless paper backdrop of one colour, curved where floor and wall meet."""
    colour = muted_colour(rng, (0.5, 0.95))
    depth = rng.uniform(1.5, 3.0)
    towards = view.axes[:, 2]
    distance = np.minimum(view.meet_plane(view.up, view.floor), view.meet_plane(towards, -depth))
    height = view.along(view.up, distance) - view.floor
    back = view.along(towards, distance) + depth
    # where floor and wall meet, the normal turns smoothly from up to towards the viewer
    share = smooth_step(height - back, -0.7, 0.7)
    length = np.sqrt((1 - share) ** 2 + share**2)
    normal = mix([(1 - share) / length, share / length], [view.up, towards])
    glow = 1.05 - 0.16 * (height - 1.0) ** 2
    return Backdrop(mix([np.clip(glow, 0.4, 1.2)], [colour]), distance, normal, depth, False)
