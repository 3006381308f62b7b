"""Pictures of the network's inputs and outputs: IUV in colours, meshes over crops, contact sheets."""

import cv2
import numpy as np

from utils.camera import OrthographicCamera, from_image_units, project_weak, weak_in_window
from utils.imutils import IMAGE_MEAN, IMAGE_STD
from utils.rotations import rotation_matrices

FOREGROUND = 0.5
SUPERSAMPLE = 3
MAX_SAMPLES = 9_000_000  # of one picture; about 50 bytes each
SIDE_BACKGROUND = 245
TITLE_FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.5
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
    """Location map [R, R, 3] -> RGB [size, size, 3] uint8: x, y, z scaled to their range inside mask [R, R]."""
    inside = location_map[mask > 0]
    low, high = inside.min(0), inside.max(0)
    colours = (location_map - low) / np.maximum(high - low, 1e-9) * (mask > 0)[..., None]
    colours = np.clip(np.rint(255 * colours), 0, 255).astype(np.uint8)
    return cv2.resize(colours, (size, size), interpolation=cv2.INTER_NEAREST)


def overlay(image: np.ndarray, shaded: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Lay a shaded picture (the pair `shade` returns) over image [H, W, 3] uint8: uint8 [H, W, 3]."""
    colour, coverage = shaded
    alpha = coverage[..., None]
    blended = image.astype(np.float32) * (1 - alpha) + 255 * colour * alpha
    return np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def draw_mesh(
    image: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    camera: np.ndarray,
    colour,
    supersample: int = SUPERSAMPLE,
) -> np.ndarray:
    """Lay the mesh (vertices [V, 3] metres) over an image [H, W, 3] uint8 with camera (s, tx, ty) of that image.

    Only the part of the image that the mesh covers is drawn, with supersample^2 samples a pixel. If that part is
    large, it is drawn with fewer samples, and at last with larger pixels, so that memory stays bounded.
    """
    height, width = image.shape[:2]
    pixels = from_image_units(project_weak(np.asarray(vertices, np.float64), camera), height, width)
    left, top = np.floor(pixels.min(axis=0) - 1).clip(0, (width, height)).astype(int)
    right, bottom = np.ceil(pixels.max(axis=0) + 2).clip(0, (width, height)).astype(int)
    picture = image.copy()
    if left < right and top < bottom:
        window = (top, bottom, left, right)
        shaded = _shade_window(vertices, faces, camera, colour, (height, width), window, supersample)
        picture[top:bottom, left:right] = overlay(image[top:bottom, left:right], shaded)
    return picture


def _shade_window(vertices, faces, camera, colour, image_size: tuple, window: tuple, supersample: int):
    """Colour and coverage, as `shade` gives them, of the rows and columns (top, bottom, left, right) of an image."""
    from utils.renderer import Renderer, shade  # here, because most commands that import this file draw no mesh

    (image_height, image_width), (top, bottom, left, right) = image_size, window
    height, width = bottom - top, right - left
    supersample = max(1, min(supersample, int(np.sqrt(MAX_SAMPLES / (height * width)))))
    # side, in image pixels, of the block that shares a sample
    block = int(np.ceil(np.sqrt(height * width / MAX_SAMPLES)))
    rows, columns = -(-height // block), -(-width // block)
    # sample i stands for the block whose middle is at block * i + (block - 1) / 2
    centre = np.array([left + block * columns / 2, top + block * rows / 2]) + (block - 1) / 2
    view = weak_in_window(camera, image_width, centre - (image_width / 2, image_height / 2), block * columns)
    hits = Renderer(vertices, faces).cast(OrthographicCamera(view[0], (view[1], view[2])), rows, columns, supersample)
    colours, coverage = shade(hits, vertices, faces, colour)
    if block > 1:
        size = (block * columns, block * rows)
        colours, coverage = (cv2.resize(part, size)[:height, :width] for part in (colours, coverage))
    return colours, coverage


def draw_turned(
    vertices: np.ndarray, faces: np.ndarray, scale: float, size: int, colour, degrees: float = 90
) -> np.ndarray:
    """The mesh turned about the vertical axis (90: its side, 180: its back), centred: RGB [size, size, 3] uint8."""
    turn = rotation_matrices(np.array([0, np.deg2rad(degrees), 0]))
    turned = (vertices - (vertices.min(0) + vertices.max(0)) / 2) @ turn.T
    blank = np.full((size, size, 3), SIDE_BACKGROUND, np.uint8)
    return draw_mesh(blank, turned, faces, np.array([scale, 0.0, 0.0]), colour)


def tile(rows: list, titles: tuple) -> np.ndarray:
    """Rows of square pictures [S, S, 3] uint8, all of one size, under column titles: one picture [H, W, 3] uint8.

    Pictures that are narrower than a title are enlarged by the smallest whole factor that makes room for it.
    """
    widest = max(cv2.getTextSize(title, *TITLE_FONT, 1)[0][0] for title in titles)
    factor = -(-(widest + 4) // rows[0][0].shape[0])
    size = factor * rows[0][0].shape[0]
    height = TITLE_HEIGHT + len(rows) * (size + GAP) + GAP
    width = len(titles) * (size + GAP) + GAP
    sheet = np.full((height, width, 3), 255, np.uint8)
    for column, title in enumerate(titles):
        left = GAP + column * (size + GAP)
        cv2.putText(sheet, title, (left + 2, TITLE_HEIGHT - 7), *TITLE_FONT, (40, 40, 40), 1, cv2.LINE_AA)
        for row, pictures in enumerate(rows):
            top = TITLE_HEIGHT + row * (size + GAP) + GAP
            sheet[top : top + size, left : left + size] = pictures[column].repeat(factor, 0).repeat(factor, 1)
    return sheet
