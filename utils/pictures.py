"""Pictures of what the network sees and says: IUV in colours, meshes over crops, contact sheets."""

import cv2
import numpy as np

from utils.camera import OrthographicCamera
from utils.imutils import IMAGE_MEAN, IMAGE_STD
from utils.renderer import Renderer, overlay, shade

FOREGROUND = 0.5
SUPERSAMPLE = 3
SIDE_TURN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # +90 degrees about the vertical axis
SIDE_BACKGROUND = 245
TITLE_HEIGHT = 26
GAP = 6


def denormalise(image: np.ndarray) -> np.ndarray:
    """Normalised crop [3, S, S] -> RGB [S, S, 3] uint8."""
    mean, std = np.reshape(IMAGE_MEAN, (3, 1, 1)), np.reshape(IMAGE_STD, (3, 1, 1))
    return np.clip(np.rint(255 * (image * std + mean)), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def iuv_colours(iuv: np.ndarray, size: int) -> np.ndarray:
    """IUV [3, h, w] (mask, u, v in [0, 1]) -> RGB [size, size, 3] uint8: u is red to blue, v is dark to green."""
    resized = cv2.resize(iuv.transpose(1, 2, 0).astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    mask, u, v = np.moveaxis(resized, -1, 0)
    colours = np.stack([1 - u, v, u], -1) * (mask > FOREGROUND)[..., None]
    return np.clip(np.rint(255 * colours), 0, 255).astype(np.uint8)


def location_colours(location_map: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """Location map [R, R, 3] -> RGB [size, size, 3] uint8: x, y, z from least to greatest inside mask [R, R]."""
    inside = location_map[mask > 0]
    low, high = inside.min(0), inside.max(0)
    colours = (location_map - low) / np.maximum(high - low, 1e-9) * (mask > 0)[..., None]
    colours = np.clip(np.rint(255 * colours), 0, 255).astype(np.uint8)
    return cv2.resize(colours, (size, size), interpolation=cv2.INTER_NEAREST)


def draw_mesh(image: np.ndarray, vertices: np.ndarray, faces: np.ndarray, camera: np.ndarray, colour) -> np.ndarray:
    """Lay the mesh (vertices [V, 3] metres) over a square crop [S, S, 3] uint8 with camera (s, tx, ty)."""
    size = image.shape[0]
    view = OrthographicCamera(float(camera[0]), (float(camera[1]), float(camera[2])))
    hits = Renderer(vertices, faces).cast(view, size, size, SUPERSAMPLE)
    return overlay(image, shade(hits, vertices, faces, colour))


def draw_side(vertices: np.ndarray, faces: np.ndarray, scale: float, size: int, colour) -> np.ndarray:
    """The mesh seen from its side, centred, at the scale of the crop: RGB [size, size, 3] uint8."""
    turned = (vertices - (vertices.min(0) + vertices.max(0)) / 2) @ SIDE_TURN.T
    blank = np.full((size, size, 3), SIDE_BACKGROUND, np.uint8)
    return draw_mesh(blank, turned, faces, np.array([scale, 0.0, 0.0]), colour)


def tile(rows: list, titles: tuple) -> np.ndarray:
    """Lay equally large square pictures out in rows under column titles."""
    size = rows[0][0].shape[0]
    height = TITLE_HEIGHT + len(rows) * (size + GAP) + GAP
    width = len(titles) * (size + GAP) + GAP
    sheet = np.full((height, width, 3), 255, np.uint8)
    for column, title in enumerate(titles):
        place = (GAP + column * (size + GAP) + 2, TITLE_HEIGHT - 7)
        cv2.putText(sheet, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
        for row, pictures in enumerate(rows):
            top, left = TITLE_HEIGHT + row * (size + GAP) + GAP, GAP + column * (size + GAP)
            sheet[top : top + size, left : left + size] = pictures[column]
    return sheet
