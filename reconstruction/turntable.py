"""A moving picture for pages and slides: the photograph, and beside it the mesh, which turns once."""

import io

import numpy as np
from PIL import Image

from utils.files import write_bytes
from utils.imutils import Augmentation, crop_matrix, warp_image
from utils.pictures import draw_turned

FRAMES = 36
SECONDS = 4.0  # of a turn
SIZE = 240  # px, of each half
FILL = 0.9  # of a half's side is taken by the mesh
PHOTO_COLOURS, MESH_COLOURS = 192, 64  # of all frames together; a .gif has up to 256


def draw_turntable(image: np.ndarray, square, vertices: np.ndarray, faces: np.ndarray, colour) -> list[np.ndarray]:
    """The frames of a turn about the vertical axis, which begins at the photograph's view.

    Args:
        image: [H, W, 3] uint8, BGR; square: the reconstruction.boxes.Square around the person.
        vertices: [V, 3], metres, camera space; faces: [F, 3]; colour: RGB of the mesh, 0 to 1.
    Returns:
        FRAMES pictures RGB [SIZE, 2 SIZE, 3] uint8: the square of the photograph, and the mesh.
    """
    crop = warp_image(image, crop_matrix(square.centre, square.scale, SIZE, Augmentation()), SIZE)[..., ::-1]
    middle = (vertices.min(0) + vertices.max(0)) / 2
    across = 2 * np.linalg.norm((vertices - middle)[:, [0, 2]], axis=1).max()
    scale = 2 * FILL / max(across, np.ptp(vertices[:, 1]), 1e-6)
    turns = np.arange(FRAMES) * 360 / FRAMES
    return [np.hstack([crop, draw_turned(vertices, faces, scale, SIZE, colour, turn)]) for turn in turns]


def write_turntable(path, frames: list[np.ndarray]) -> None:
    """Write the frames of draw_turntable as a .gif that runs for ever.

    All frames have one palette, so that nothing flickers: most of it is the photograph's, which is dithered, the rest
    the mesh's.
    """
    photo, meshes = (
        np.ascontiguousarray(frames[0][:, :SIZE]),
        np.vstack([frame[:, SIZE:] for frame in frames[:: FRAMES // 4]]),
    )
    parts = [Image.fromarray(part).quantize(count) for part, count in ((photo, PHOTO_COLOURS), (meshes, MESH_COLOURS))]
    palette = Image.new("P", (1, 1))
    colours = [value for part in parts for value in part.getpalette() or ()]
    palette.putpalette(colours)
    still = np.asarray(Image.fromarray(photo).quantize(palette=palette))
    pictures = []
    for frame in frames:
        mesh = Image.fromarray(np.ascontiguousarray(frame[:, SIZE:])).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        pictures.append(Image.fromarray(np.hstack([still, np.asarray(mesh)]), "P"))
        pictures[-1].putpalette(colours)
    stream = io.BytesIO()
    duration = 1000 * SECONDS / len(frames)  # ms of a frame
    pictures[0].save(stream, "GIF", save_all=True, append_images=pictures[1:], duration=duration, loop=0)
    write_bytes(path, stream.getvalue())
