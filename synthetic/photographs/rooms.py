"""Indoor backdrops: a room with walls, skirting board, pictures and windows, and a photographer's studio."""

import numpy as np

from synthetic.photographs.floors import footprint_of, paint_floor, plane_coordinates
from synthetic.photographs.textures import (
    Noise,
    bricks,
    cell_shade,
    lines,
    muted_colour,
    pick,
    random_colour,
    smooth_step,
)
from synthetic.photographs.view import Backdrop, View


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
            painted = np.where((v - view.floor < 0.09)[..., None], skirting, painted)
        colour = np.where(nearer[..., None], painted, colour)
        distance = np.where(nearer, met, distance)
        normal[nearer] = wall
    return Backdrop(colour.astype(np.float32), distance, normal, depth, False)


def _wall_paint(rng: np.random.Generator):
    """Draw how the walls of a room look: a function (rng, u, v above the floor, footprint) -> colour [H, W, 3]."""
    base = muted_colour(rng, (0.6, 0.97))
    second = np.clip(base * rng.uniform(0.5, 0.85), 0, 1)
    kind = pick(rng, [(4, "paint"), (2, "stripes"), (1.5, "brick"), (1.5, "panels"), (1.5, "two tones"), (1, "tiles")])
    period, rail = rng.uniform(0.12, 0.5), rng.uniform(0.8, 1.2)
    mortar = random_colour(rng, (0.5, 0.9), (0, 0.1))
    coarse = Noise(rng, 0.7, 3)

    def paint(rng, u, v, footprint):
        colour = base * (1 + 0.05 * coarse(u, v))[..., None]
        if kind == "stripes":
            colour = colour + (second - base) * lines(u, period, period / 2, footprint)[..., None]
        elif kind in ("brick", "tiles"):
            height, length = (0.075, 0.22) if kind == "brick" else (0.15, 0.15)
            seams, tone = bricks(v, u, height, length, 0.01, footprint, 0.5 if kind == "brick" else 0.0)
            colour = colour * (1 + (0.18 if kind == "brick" else 0.04) * tone)[..., None]
            colour = colour + (mortar - colour) * seams[..., None]
        elif kind == "panels":
            tone = cell_shade(u, v * 0, period, 9.0)
            colour = colour * (1 + 0.12 * tone - 0.5 * lines(u, period, 0.012, footprint))[..., None]
        elif kind == "two tones":
            colour = np.where((v < rail)[..., None], second, colour)
        taken: list[tuple] = []
        for _ in range(rng.integers(0, 5)):
            colour = _hang_picture(rng, colour, u, v, taken)
        return colour

    return paint


def _hang_picture(rng, colour, u, v, taken):
    """Paint a picture, window or door on a wall unless it would overlap with an earlier one.

    taken: the (from, to) of earlier ones along the wall, metres; the new one is added.
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
        return colour
    taken.append(span)
    x, y = (u - middle) / (width / 2), (v - bottom) / height
    inside = (np.abs(x) < 1) & (y > 0) & (y < 1)
    edge = np.minimum((1 - np.abs(x)) * width / 2, np.minimum(y, 1 - y) * height)
    frame = random_colour(rng, (0.1, 0.95), (0.0, 0.4))
    first, second = muted_colour(rng), random_colour(rng, (0.3, 0.9), (0.1, 0.55))
    if kind == "window":
        first, second = np.array([0.75, 0.87, 1.0]), np.array([0.45, 0.6, 0.75])
        edge = np.minimum(edge, np.abs(x) * width / 2 + 0.015)
    art = 0.5 + 0.5 * Noise(rng, width / 2.5, 2)(u, v) if kind == "picture" else np.clip(y, 0, 1)
    if kind == "door":
        first, second = frame * 0.8, frame * 0.85
    content = first + (second - first) * smooth_step(art, 0.3, 0.7)[..., None]
    panel = np.where((edge < 0.045)[..., None], frame, content)
    return np.where(inside[..., None], panel, colour)


def studio(rng: np.random.Generator, view: View) -> Backdrop:
    """A seamless paper backdrop of one colour, curved where floor and wall meet."""
    colour = muted_colour(rng, (0.5, 0.95))
    depth = rng.uniform(1.5, 3.0)
    floor = view.meet_plane(view.up, view.floor)
    wall = view.meet_plane(view.axes[:, 2], -depth)
    distance = np.minimum(floor, wall)
    # where floor and wall meet, the normal turns smoothly from up to towards the viewer
    points = view.origin + view.directions * distance[..., None]
    height = points @ view.up - view.floor
    back = points @ view.axes[:, 2] + depth
    share = smooth_step(height - back, -0.7, 0.7)[..., None]
    normal = (1 - share) * view.up + share * view.axes[:, 2]
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    glow = 1.05 - 0.16 * (height - 1.0) ** 2
    painted = colour * np.clip(glow, 0.4, 1.2)[..., None]
    return Backdrop(painted.astype(np.float32), distance, normal, depth, False)
