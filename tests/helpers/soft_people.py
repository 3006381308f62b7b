"""People as the network might give them, of the soft body, on an atlas of its front and back."""

import numpy as np

from reconstruction.body_fits import BodyFits
from reconstruction.boxes import Square
from reconstruction.inputs import Photo
from reconstruction.people import Person
from tests.helpers.soft_body import soft_body
from utils.body_model import pose_vertices
from utils.objfile import ObjMesh

HEIGHT, WIDTH = 120, 90


def front_and_back() -> ObjMesh:
    """The body's atlas with a seam: its front has u below 0.5, its back above."""
    model = soft_body()
    x, y, z = model.v_template.T
    low, size = model.v_template.min(0), np.ptp(model.v_template, axis=0)
    places = np.column_stack([(x - low[0]) / size[0] * 0.45, (y - low[1]) / size[1]])
    behind = z[model.faces].mean(1) < 0
    return ObjMesh(model.v_template, model.faces, np.concatenate([places, places + (0.55, 0)]),
                   model.faces + len(x) * behind[:, None])  # fmt: skip


def iuv_of(u_range: tuple[float, float], mask: float = 1.0, size: int = 60) -> np.ndarray:
    """An IUV image [3, size, size] that names every place of the atlas whose u is in a range."""
    u, v = np.meshgrid(np.linspace(*u_range, size), np.linspace(0, 1, size))
    return np.stack([np.full_like(u, mask), u, v]).astype(np.float32)


def draw_pose(rng) -> np.ndarray:
    """[24, 3]: upright before the camera, joints turned a little."""
    pose = 0.2 * rng.normal(size=(24, 3))
    pose[0] = np.pi, 0, 0
    return pose


def draw_person(rng, fits: BodyFits | None, noise: float = 0.005) -> Person:
    """A person whose vertices are a body of random pose and shape, with noise in metres."""
    vertices = pose_vertices(soft_body(), draw_pose(rng), rng.normal(size=10)) + (0.1, -0.2, 0.4)
    vertices += noise * rng.normal(size=vertices.shape)
    iuv = iuv_of((0, 0.45))
    body = fits(vertices[None], iuv[None])[0] if fits else None
    camera = np.array([0.8, *(-vertices.mean(0)[:2])])
    return Person(Square(WIDTH / 2, HEIGHT / 2, 80), vertices.astype(np.float32), np.zeros((8, 8, 3), np.float32), iuv,
                  camera.astype(np.float32), camera * (80 / WIDTH, 1, 1), body)  # fmt: skip


def draw_photo(name: str = "a") -> Photo:
    """A photograph whose pixels say where they are."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    return Photo(name, name, np.stack([2 * rows, 2 * columns, 0 * rows + 99], -1).astype(np.uint8))
