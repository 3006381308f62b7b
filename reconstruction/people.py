"""Reconstruct the people in squares of photographs, in batches."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from models.inference import MeshPredictor, run_in_batches
from models.warp import FOREGROUND
from reconstruction.body_fits import BodyFits, FittedBody
from reconstruction.boxes import Square
from reconstruction.inputs import Photo
from utils.camera import weak_in_window
from utils.errors import UserError
from utils.imutils import Augmentation, crop_matrix, normalise_image, warp_image

MAX_WAITING_PIXELS = 60_000_000  # photographs are kept in memory until a batch is full; of two batches at a time
# Share of a crop. On generated photographs it was 0.05 to 0.15 in boxes around people, 0.01 to 0.05 in boxes three
# times too large, and 0 in boxes beside people.
LEAST_MASK_SHARE = 0.01


@dataclass(frozen=True)
class Person:
    """The network's result for one square of a photograph.

    vertices [V, 3] and location_map [R, R, 3]: metres, camera space. iuv [3, h, w]: mask, u, v. camera: (s, tx, ty) of
    the crop; image_camera: the same for the whole photograph. body: the body model that is fitted to the vertices, or
    why it cannot be; None where no fit is wanted.
    """

    square: Square
    vertices: np.ndarray
    location_map: np.ndarray
    iuv: np.ndarray
    camera: np.ndarray
    image_camera: np.ndarray
    body: FittedBody | UserError | None = None

    @property
    def mask_share(self) -> float:
        """Share of the crop that the CNet marks as body, 0 to 1; the LNet sees only these pixels."""
        return float((self.iuv[0] > FOREGROUND).mean())


@dataclass
class _Waiting:
    photos: list = field(default_factory=list)  # (photo, squares)
    people: int = 0
    pixels: int = 0

    def add(self, photo: Photo, squares: list) -> None:
        self.photos.append((photo, squares))
        self.people += len(squares)
        self.pixels += photo.image.shape[0] * photo.image.shape[1]


@dataclass(frozen=True)
class _Fitting:
    """A batch whose bodies are being fitted."""

    waiting: _Waiting
    outputs: tuple[np.ndarray, ...]
    bodies: Future


class Reconstructor:
    """Reconstructs the people of photographs. The predictor must return the location map too.

    fit_bodies: what fits a body model to the meshes of a batch; without it people have none.
    """

    def __init__(self, predictor: MeshPredictor, options, fit_bodies: BodyFits | None = None):
        self.predictor, self.fit_bodies = predictor, fit_bodies
        self.size, self.batch_size = options.img_res, options.batch_size
        self.fixed_batch = options.mode != "pynative"  # graph mode compiles for every new size

    def __call__(self, photos: Iterable[tuple[Photo, list[Square]]]) -> Iterator[tuple[Photo, list[Person]]]:
        """Yield the people of every photograph, in order; photographs are collected until a batch is full.

        Bodies are fitted in a thread while the network works on the next batch.
        """
        before: _Fitting | None = None
        with ThreadPoolExecutor(1) as pool:
            for waiting in self._collect(photos):
                outputs = self._reconstruct(waiting)
                started = _Fitting(waiting, outputs, pool.submit(self._fit, *outputs[:2]))
                if before:
                    yield from self._people(before)
                before = started
            if before:
                yield from self._people(before)

    def _collect(self, photos: Iterable[tuple[Photo, list[Square]]]) -> Iterator[_Waiting]:
        waiting = _Waiting()
        for photo, squares in photos:
            waiting.add(photo, squares)
            if waiting.people >= self.batch_size or waiting.pixels > MAX_WAITING_PIXELS:
                yield waiting
                waiting = _Waiting()
        if waiting.photos:
            yield waiting

    def _reconstruct(self, waiting: _Waiting) -> tuple[np.ndarray, ...]:
        """The network's outputs for all squares: iuv, vertices, cameras and location maps, each [N, ...]."""
        crops = [self._crop(photo, square) for photo, squares in waiting.photos for square in squares]
        if not crops:
            return (np.zeros((0,)),) * 4
        batch_size = self.batch_size if self.fixed_batch else min(self.batch_size, len(crops))
        return run_in_batches(self.predictor, batch_size, np.stack(crops))

    def _fit(self, iuv: np.ndarray, vertices: np.ndarray) -> list[FittedBody | UserError | None]:
        if self.fit_bodies is None or not len(vertices):
            return [None] * len(vertices)
        return [*self.fit_bodies(vertices, iuv)]

    def _people(self, fitting: _Fitting) -> Iterator[tuple[Photo, list[Person]]]:
        results = zip(*fitting.outputs, fitting.bodies.result(), strict=True)
        for photo, squares in fitting.waiting.photos:
            yield photo, [self._make_person(photo, square, *next(results)) for square in squares]

    def _crop(self, photo: Photo, square: Square) -> np.ndarray:
        crop = warp_image(photo.image, crop_matrix(square.centre, square.scale, self.size, Augmentation()), self.size)
        return normalise_image(crop[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255)

    def _make_person(self, photo: Photo, square: Square, iuv, vertices, camera, location_map, body) -> Person:
        height, width = photo.image.shape[:2]
        image_camera = weak_in_window(camera, square.side, np.array([width, height]) / 2 - square.centre, width)
        return Person(square, vertices, location_map, iuv, camera, image_camera, body)
