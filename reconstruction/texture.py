"""Make a texture from a photograph: every texel of the atlas takes the pixel that shows its surface point."""

import cv2
import numpy as np

from atlas.tables import build_atlas, get_uv_map
from utils.camera import from_image_units, project_weak
from utils.objfile import ObjMesh
from utils.renderer import Renderer, unit, vertex_normals

SIZE = 512  # texels per side
UNSEEN = 150  # grey of texels that the photograph does not show
TOWARDS_VIEWER = np.array([0.0, 0.0, -1.0], np.float32)
SLANT = 0.15  # smallest cosine between normal and viewer; a more slanted surface has too few pixels
OFFSET = 2e-3  # metres above the surface, so that a ray does not hit its own starting point
PADDING = 3  # texels by which colours are extended beyond their edge, for filtering in viewers


class TextureMaker:
    """Makes textures [SIZE, SIZE, 3] of meshes that have the faces and texture coordinates of `template`."""

    def __init__(self, template: ObjMesh, size: int = SIZE):
        self.faces = template.faces
        self.atlas = build_atlas(template, size, size)

    def __call__(self, image: np.ndarray, vertices: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make a texture [R, R, 3] uint8, channels as in `image`, and the mask of texels that it shows, [R, R] bool.

        image [H, W, 3] uint8; vertices [V, 3] metres in camera space; camera (s, tx, ty) of the image.
        """
        vertices = np.asarray(vertices, np.float64)
        normals = vertex_normals(vertices, self.faces)
        inside = self.atlas.mask
        texel_points, texel_normals = (get_uv_map(self.atlas, values)[inside] for values in (vertices, normals))
        texel_normals = unit(texel_normals)
        height, width = image.shape[:2]
        pixels = from_image_units(project_weak(texel_points, camera), height, width).astype(np.float32)

        shown = (texel_normals @ TOWARDS_VIEWER > SLANT) & (pixels >= 0).all(axis=1)
        shown &= (pixels <= (width - 1, height - 1)).all(axis=1)
        starts = (texel_points + OFFSET * texel_normals)[shown]
        shown[shown] = Renderer(vertices, self.faces).visible_from(starts, TOWARDS_VIEWER)

        seen = np.zeros(inside.shape, bool)
        seen[inside] = shown
        texture = np.full((*inside.shape, 3), UNSEEN, np.uint8)
        texture[seen] = _look_up(image, pixels[shown])
        return _pad(texture, seen), seen


def _look_up(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Interpolate colours [N, 3] at pixels [N, 2], bilinearly."""
    if not len(pixels):  # OpenCV refuses empty maps
        return np.zeros((0, 3), np.uint8)
    row = 4096  # OpenCV allows at most 32767 per side
    count = len(pixels)
    padded = np.concatenate([pixels, np.zeros((-count % row, 2), np.float32)]).reshape(-1, row, 2)
    columns, rows = np.moveaxis(padded, -1, 0).copy()
    return cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(-1, 3)[:count]


def _pad(texture: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Extend the colours of seen texels to the unseen texels next to them."""
    kernel = np.ones((3, 3), np.float32)
    filled, known = texture.copy(), seen.copy()
    for _ in range(PADDING):
        weight = cv2.filter2D(known.astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
        total = cv2.filter2D((filled * known[..., None]).astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
        border = ~known & (weight > 0)
        filled[border] = np.rint(total[border] / weight[border][:, None])
        known |= border
    return filled
