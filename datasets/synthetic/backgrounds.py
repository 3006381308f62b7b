"""Procedural surroundings: studio, room, street and landscape, and abstract ones, in the camera's perspective.

A backdrop is made of surfaces that receive light and shadow (floor, walls) and of things too far
away for that (sky, skyline). It is handed over as arrays per pixel, so that the photograph can
light everything together.
"""
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from datasets.synthetic.textures import Noise, blur, bricks, cell_shade, checkers, lines, pick, random_colour, smooth_step
from datasets.synthetic.view import View


@dataclass(frozen=True)
class Backdrop:
    """Per pixel: colour [H, W, 3] linear, distance [H, W] along the ray (inf: unlit), normal [H, W, 3].

    `depth` is the free space behind the person in metres, `outdoors` chooses the light.
    """

    colour: np.ndarray
    distance: np.ndarray
    normal: np.ndarray
    depth: float
    outdoors: bool


def make_backdrop(rng: np.random.Generator, view: View) -> Backdrop:
    """Draw a backdrop of a random kind."""
    kind = pick(rng, [(1.6, studio), (4, room), (3.6, landscape), (1.2, abstract)])
    return kind(rng, view)


def _plane_coordinates(view: View, directions: np.ndarray, distance: np.ndarray, across: np.ndarray, along: np.ndarray):
    """Metres (u, v) of ray hits along two unit vectors; far and missed ones are clipped."""
    reach = np.where(np.isfinite(distance), np.minimum(distance, 400.0), 0.0)
    points = view.origin + directions * reach[..., None]
    return points @ across, points @ along


def _footprint(view: View, directions: np.ndarray, distance: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Size in metres of a pixel on a plane, along the direction in which it is stretched most."""
    tilt = np.maximum(np.abs(directions @ normal), 0.02)
    return np.minimum(distance, 400.0) / view.camera.focal / tilt


# ---------------------------------------------------------------- floors


def _floor_colour(rng, kind, u, v, footprint):
    base = {
        "planks": random_colour(rng, (0.35, 0.75), (0.3, 0.55)) * [1.0, 0.8, 0.6],
        "tiles": random_colour(rng, (0.5, 0.95), (0.0, 0.25)),
        "carpet": random_colour(rng, (0.25, 0.8), (0.1, 0.6)),
        "concrete": random_colour(rng, (0.45, 0.8), (0.0, 0.10)),
        "checkers": random_colour(rng, (0.3, 0.9), (0.0, 0.4)),
        "grass": np.array([0.10, 0.20, 0.05]) * rng.uniform(0.7, 1.5) * rng.uniform(0.8, 1.2, 3),
        "sand": np.array([0.55, 0.43, 0.28]) * rng.uniform(0.8, 1.2),
        "asphalt": np.full(3, rng.uniform(0.05, 0.16)),
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
        seams, tone = bricks(u, v, size, size * rng.choice([1.0, 1.0, 2.0]), 0.012, footprint,
                             0.0 if kind == "tiles" else 0.5)
        shade = shade + 0.07 * visible * tone - 0.45 * seams
    elif kind == "checkers":
        size = rng.uniform(0.3, 0.6)
        shade = shade - 0.55 * checkers(u, v, size) * np.clip(size / footprint, 0, 1)
    else:
        rough = {"carpet": 0.10, "concrete": 0.05, "grass": 0.35, "sand": 0.12, "asphalt": 0.20, "snow": 0.03}[kind]
        patches = {"grass": 0.16, "concrete": 0.06}.get(kind, 0.05)
        shade = shade + rough * fine(u, v) * visible + patches * coarse(u * 0.5, v * 0.5)
    colour = base * np.clip(1 + shade, 0.05, 2)[..., None]
    if kind == "asphalt" and rng.random() < 0.6:
        stripe = lines(u, rng.uniform(2.5, 4), 0.12, footprint)
        colour = colour + 0.5 * stripe[..., None] * (1 - colour)
    return colour.astype(np.float32)


# ---------------------------------------------------------------- indoors


def room(rng: np.random.Generator, view: View) -> Backdrop:
    """A corner or a wall of a room: floor, one or two walls, skirting board, pictures and windows."""
    directions = view.directions()
    depth = rng.uniform(1.3, 4.0)
    yaw = rng.uniform(-28, 28)
    towards = _turn(view, yaw)
    aside = np.cross(view.up, towards)
    distance = np.minimum(view.meet_plane(view.up, view.floor, directions), 60.0)
    normal = np.broadcast_to(view.up, directions.shape).copy()
    floor_turn = _turn(view, yaw + rng.choice([0, 90, 45, 0]))
    u, v = _plane_coordinates(view, directions, distance, np.cross(view.up, floor_turn), floor_turn)
    kind = pick(rng, [(4, "planks"), (2, "tiles"), (2, "carpet"), (2, "concrete"), (1, "checkers")])
    colour = _floor_colour(rng, kind, u, v, _footprint(view, directions, distance, view.up))
    skirting = random_colour(rng, (0.6, 1.0), (0, 0.2)) if rng.random() < 0.7 else None
    paint = _wall_paint(rng)
    walls = [(towards, aside, -depth)]
    if rng.random() < 0.5:
        side = rng.choice([-1.0, 1.0])
        walls.append((side * aside, towards, -rng.uniform(1.2, 2.6)))
    for wall, along, level in walls:
        met = view.meet_plane(wall, level, directions)
        nearer = met < distance
        u, v = _plane_coordinates(view, directions, met, along, view.up)
        painted = paint(rng, u, v - view.floor, _footprint(view, directions, met, wall))
        if skirting is not None:
            painted = np.where((v - view.floor < 0.09)[..., None], skirting, painted)
        colour = np.where(nearer[..., None], painted, colour)
        distance = np.where(nearer, met, distance)
        normal[nearer] = wall
    return Backdrop(colour.astype(np.float32), distance, normal, depth, False)


def _turn(view: View, degrees: float) -> np.ndarray:
    """The unit vector towards the viewer, turned about the upright axis: [3]."""
    return Rotation.from_rotvec(np.radians(degrees) * view.up).apply(view.axes[:, 2])


def _wall_paint(rng: np.random.Generator):
    """A function (rng, u, v above the floor, footprint) -> colour that paints all walls of one room alike."""
    base = random_colour(rng, (0.55, 0.97), (0.02, 0.45))
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
        for _ in range(rng.integers(0, 4)):
            colour = _hang_picture(rng, colour, u, v)
        return colour

    return paint


def _hang_picture(rng, colour, u, v):
    """A framed picture, a window or a door on a wall."""
    kind = pick(rng, [(4, "picture"), (2, "window"), (1, "door")])
    width, height = {"picture": (rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.8)),
                     "window": (rng.uniform(0.8, 1.5), rng.uniform(0.9, 1.3)), "door": (0.9, 2.05)}[kind]
    middle, bottom = rng.uniform(-2.2, 2.2), {"picture": rng.uniform(1.1, 1.6), "window": 0.95, "door": 0.0}[kind]
    x, y = (u - middle) / (width / 2), (v - bottom) / height
    inside = (np.abs(x) < 1) & (y > 0) & (y < 1)
    edge = np.minimum((1 - np.abs(x)) * width / 2, np.minimum(y, 1 - y) * height)
    frame = random_colour(rng, (0.1, 0.95), (0.0, 0.4))
    first, second = random_colour(rng), random_colour(rng)
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
    directions = view.directions()
    colour = random_colour(rng, (0.45, 0.95), (0.0, 0.5))
    depth = rng.uniform(1.5, 3.0)
    floor = view.meet_plane(view.up, view.floor, directions)
    wall = view.meet_plane(view.axes[:, 2], -depth, directions)
    distance = np.minimum(floor, wall)
    # the fold: the normal turns from up to towards the viewer over half a metre
    points = view.origin + directions * distance[..., None]
    height = points @ view.up - view.floor
    back = points @ view.axes[:, 2] + depth
    share = smooth_step(height - back, -0.7, 0.7)[..., None]
    normal = (1 - share) * view.up + share * view.axes[:, 2]
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    glow = 1.05 - 0.16 * (height - 1.0) ** 2
    painted = colour * np.clip(glow, 0.4, 1.2)[..., None]
    return Backdrop(painted.astype(np.float32), distance, normal, depth, False)


# ---------------------------------------------------------------- outdoors


def landscape(rng: np.random.Generator, view: View) -> Backdrop:
    """Ground up to the horizon, a skyline of hills, trees or houses, and a sky with clouds."""
    directions = view.directions()
    distance = view.meet_plane(view.up, view.floor, directions)
    far = rng.uniform(18, 45)
    ground = distance < far
    sight = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    elevation, azimuth = sight @ view.up, sight @ view.axes[:, 0]

    zenith, haze = pick(rng, [(4, ((0.16, 0.36, 0.75), (0.62, 0.76, 0.90))), (1.5, ((0.45, 0.5, 0.56), (0.75, 0.77, 0.8))),
                              (1.2, ((0.22, 0.25, 0.5), (0.95, 0.60, 0.38)))])
    zenith, haze = np.array(zenith) * rng.uniform(0.8, 1.1), np.array(haze)
    sky = haze + (zenith - haze) * smooth_step(elevation, -0.02, 0.30)[..., None]
    clouds = smooth_step(Noise(rng, 0.10, 4)(azimuth, elevation * 2.2), rng.uniform(-0.1, 0.5), 1.0)
    sky = sky + (0.95 - sky) * (0.85 * clouds)[..., None]

    scenery = sky
    for layer in range(rng.integers(1, 4)):
        nearness = (layer + 1) / 3
        scenery = _skyline(rng, scenery, azimuth, elevation, haze, nearness)
    turn = _turn(view, rng.uniform(-60, 60))
    u, v = _plane_coordinates(view, directions, distance, np.cross(view.up, turn), turn)
    kind = pick(rng, [(4, "grass"), (2, "sand"), (3, "asphalt"), (2, "paving"), (1, "snow"), (1, "concrete")])
    soil = _floor_colour(rng, kind, u, v, _footprint(view, directions, distance, view.up))
    fog = smooth_step(np.minimum(distance, far), 0.3 * far, 1.3 * far)[..., None] * 0.6
    scenery = blur(scenery.astype(np.float32), rng.uniform(0.6, 2.2))
    colour = np.where(ground[..., None], soil + (haze * 0.8 - soil) * fog, scenery)
    normal = np.broadcast_to(view.up, directions.shape)
    return Backdrop(colour.astype(np.float32), np.where(ground, distance, np.inf), normal, 4.0, True)


def _skyline(rng, scenery, azimuth, elevation, haze, nearness):
    kind = pick(rng, [(2, "hills"), (2, "trees"), (2, "houses")])
    tint = {"hills": random_colour(rng, (0.3, 0.6), (0.1, 0.4)), "trees": np.array([0.05, 0.10, 0.03]) * rng.uniform(0.6, 2),
            "houses": random_colour(rng, (0.35, 0.8), (0.0, 0.35))}[kind]
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
    colour = tint * np.clip(1 + detail, 0.1, 2)[..., None]
    colour = colour + (haze - colour) * (0.75 - 0.6 * nearness)
    return np.where((elevation < top)[..., None], colour, scenery)


# ---------------------------------------------------------------- neither


def abstract(rng: np.random.Generator, view: View) -> Backdrop:
    """Out-of-focus colours: clouds of noise, discs of light or a clutter of shapes; nothing there takes a shadow."""
    rows, columns = np.mgrid[: view.height, : view.width] / view.width
    tones = np.stack([random_colour(rng, (0.2, 0.95), (0.1, 0.7)) for _ in range(3)])
    first = 0.5 + 0.5 * Noise(rng, rng.uniform(0.15, 0.6), 4)(columns, rows)
    second = 0.5 + 0.5 * Noise(rng, rng.uniform(0.1, 0.4), 4)(columns, rows)
    colour = tones[0] + (tones[1] - tones[0]) * first[..., None] + (tones[2] - tones[0]) * 0.6 * second[..., None]
    colour = np.ascontiguousarray(np.clip(colour, 0.01, 1), np.float32)
    shapes = colour.copy()
    for _ in range(rng.integers(6, 26)):
        centre = (int(rng.uniform(0, view.width)), int(rng.uniform(0, view.height)))
        tone = tuple(float(value) for value in random_colour(rng, (0.2, 1.0), (0.05, 0.7)))
        size = int(rng.uniform(0.03, 0.16) * view.width)
        if rng.random() < 0.5:
            cv2.circle(shapes, centre, size // 2, tone, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints((centre, (size, int(size * rng.uniform(0.5, 3))), float(rng.uniform(0, 90))))
            cv2.fillConvexPoly(shapes, corners.astype(np.int32), tone, cv2.LINE_AA)
    colour = blur(0.45 * colour + 0.55 * shapes, rng.uniform(1.5, 7))
    distance = np.full(colour.shape[:2], np.inf)
    return Backdrop(colour, distance, np.zeros((*distance.shape, 3)), 3.0, bool(rng.random() < 0.5))
