"""Surroundings of a person: studio, room, landscape, or something abstract and out of focus."""

import cv2
import numpy as np

from synthetic.photographs.outdoors import landscape
from synthetic.photographs.rooms import room, studio
from synthetic.photographs.textures import Noise, blur, mix, muted_colour, pick, random_colour
from synthetic.photographs.view import Backdrop, View


def make_backdrop(rng: np.random.Generator, view: View, floor_needed: bool) -> Backdrop:
    """Draw a backdrop of a random kind."""
    kind = pick(rng, [(1.6, studio), (4, room), (3.6, landscape), (0.0 if floor_needed else 0.4, abstract)])
    return kind(rng, view)


def abstract(rng: np.random.Generator, view: View) -> Backdrop:
    """Out-of-focus colours: clouds of noise, discs of light, a clutter of shapes; they receive no shadow."""
    rows, columns = np.mgrid[: view.height, : view.width].astype(np.float32) / view.width
    tones = np.stack([muted_colour(rng, (0.2, 0.95)) for _ in range(3)])
    first = 0.5 + 0.5 * Noise(rng, rng.uniform(0.15, 0.6), 4)(columns, rows)
    second = 0.5 + 0.5 * Noise(rng, rng.uniform(0.1, 0.4), 4)(columns, rows)
    second *= 0.6
    colour = np.clip(mix([1 - first - second, first, second], tones), 0.01, 1)
    shapes = colour.copy()
    for _ in range(rng.integers(6, 26)):
        centre = (int(rng.uniform(0, view.width)), int(rng.uniform(0, view.height)))
        tone = tuple(float(value) for value in random_colour(rng, (0.3, 1.0), (0.05, 0.45)))
        size = int(rng.uniform(0.03, 0.16) * view.width)
        if rng.random() < 0.5:
            cv2.circle(shapes, centre, size // 2, tone, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints((centre, (size, int(size * rng.uniform(0.5, 3))), float(rng.uniform(0, 90))))
            cv2.fillConvexPoly(shapes, corners.astype(np.int32), tone, cv2.LINE_AA)
    colour = blur(0.45 * colour + 0.55 * shapes, rng.uniform(1.5, 7) * view.height / 390)
    distance = np.full(colour.shape[:2], np.inf, np.float32)
    return Backdrop(colour, distance, np.zeros_like(colour), 3.0, bool(rng.random() < 0.5))
