"""Simple solid things in the scene: a seat, furniture behind the person, obstacles in front.

A thing is a triangle mesh in the frame of `view.View` with one colour per triangle.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.photographs.textures import muted_colour, pick, random_colour
from synthetic.photographs.view import View


@dataclass(frozen=True)
class Thing:
    """vertices [n, 3] metres, faces [m, 3], colours [m, 3] linear RGB."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray


_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
_BOX_FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
)


def box(view: View, place, size, turn: float, colour: np.ndarray) -> Thing:
    """An upright box of size (width, height, depth) at place (right, above the floor, towards), metres; colour [3]."""
    corners = Rotation.from_euler("y", turn, degrees=True).apply(_BOX_CORNERS * size)
    return Thing(_stand(view, corners, place), _BOX_FACES, np.tile(colour, (12, 1)))


def cylinder(view: View, place, radius: float, height: float, colour: np.ndarray) -> Thing:
    """An upright cylinder at place (right, above the floor, towards), metres; colour [3]."""
    return _turned(view, place, [(0, 0), (radius, 0), (radius, height), (0, height)], colour)


def ball(view: View, place, radius: float, colour: np.ndarray) -> Thing:
    """A ball that touches the floor below place (right, above the floor, towards), metres; colour [3]."""
    angles = np.linspace(0, np.pi, 14)
    return _turned(view, place, [(radius * np.sin(a), radius * (1 - np.cos(a))) for a in angles], colour)


def _turned(view: View, place, profile: list, colour: np.ndarray, sides: int = 28) -> Thing:
    """The solid of revolution of a profile of (radius, height) points about the upright axis."""
    angles = np.arange(sides) * 2 * np.pi / sides
    rings = [
        np.stack([radius * np.cos(angles), np.full(sides, height), radius * np.sin(angles)], 1)
        for radius, height in profile
    ]
    faces = []
    for ring in range(len(profile) - 1):
        here, there = np.arange(sides) + ring * sides, np.roll(np.arange(sides), -1) + ring * sides
        faces += [np.stack([here, there + sides, there], 1), np.stack([here, here + sides, there + sides], 1)]
    faces = np.concatenate(faces)
    return Thing(_stand(view, np.concatenate(rings), place), faces, np.tile(colour, (len(faces), 1)))


def _stand(view: View, points: np.ndarray, place) -> np.ndarray:
    return view.place(*place) + points @ view.axes.T


def _in_view_axes(view: View, vertices: np.ndarray) -> np.ndarray:
    """Points as (right, height above the floor, towards the viewer)."""
    return vertices @ view.axes - [0, view.floor, 0]


def seat(rng: np.random.Generator, view: View, vertices: np.ndarray, body_yaw: float, pelvis: np.ndarray) -> Thing:
    """A block under the buttocks of a seated body, vertices [V, 3]; pelvis [3] is its root joint."""
    located, hip = _in_view_axes(view, vertices), _in_view_axes(view, pelvis[None])[0]
    # the flesh close to the upright line through the pelvis touches the seat
    near = np.hypot(located[:, 0] - hip[0], located[:, 2] - hip[2]) < 0.16
    height = max(0.05, located[near, 1].min() + 0.015)
    turn = Rotation.from_euler("y", body_yaw, degrees=True)
    backwards = turn.apply([0, 0, -0.05])
    place = (hip[0] + backwards[0], 0.0, hip[2] + backwards[2])
    colour = muted_colour(rng)
    if rng.random() < 0.4:
        return cylinder(view, place, 0.21, height, colour)
    return box(view, place, (rng.uniform(0.40, 0.6), height, 0.40), body_yaw, colour)


def obstacle(rng: np.random.Generator, view: View, vertices: np.ndarray) -> Thing:
    """Something in front of the body, vertices [V, 3], that hides a part of it."""
    located = _in_view_axes(view, vertices)
    low, high = located.min(0), located.max(0)
    towards = high[2] + rng.uniform(0.35, 0.9)
    aside = rng.uniform(low[0], high[0])
    colour = random_colour(rng, (0.25, 0.85), (0.1, 0.55))
    kind = pick(rng, [(3, "crate"), (3, "pole"), (2, "ball"), (1.5, "table")])
    if kind == "pole":
        return cylinder(view, (aside, 0, towards), rng.uniform(0.02, 0.06), 3.5, colour)
    if kind == "ball":
        return ball(view, (aside, 0, towards), rng.uniform(0.12, 0.3), colour)
    size = (rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.45), 0.3)
    if kind == "table":
        size = (rng.uniform(0.8, 1.4), rng.uniform(0.45, 0.6), 0.5)
        aside = aside + 0.6 * np.sign(aside)
    return box(view, (aside, 0, towards + 0.3), size, rng.uniform(-30, 30), colour)


def furniture(rng: np.random.Generator, view: View, vertices: np.ndarray, depth: float) -> list[Thing]:
    """Up to four boxes, columns and balls between the body, vertices [V, 3], and a wall `depth` metres behind it."""
    located = _in_view_axes(view, vertices)
    things = []
    for _ in range(rng.integers(0, 5)):
        size = (rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.5), rng.uniform(0.3, 0.6))
        behind = located[:, 2].min() - 0.25 - size[0] / 2 - rng.uniform(0, max(depth - 1.2, 0.1))
        place = (rng.uniform(-1.8, 1.8), 0.0, behind)
        colour = muted_colour(rng, (0.2, 0.9))
        kind = pick(rng, [(5, "box"), (1, "column"), (1, "ball")])
        if kind == "box":
            things.append(box(view, place, size, rng.uniform(-40, 40), colour))
        elif kind == "column":
            things.append(cylinder(view, place, 0.3 * size[0], 1.5 * size[1], colour))
        else:
            things.append(ball(view, place, 0.3 * size[0], colour))
    return things
