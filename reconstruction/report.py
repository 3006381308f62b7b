"""One HTML page with everyone of a run of demo.py: meshes of photographs that turn, motions of videos that play.

What is shown of a photograph or video is written at once, so that memory does not grow with their number. People stand
where the pinhole camera of their photograph or video sees them.
"""

import contextlib
import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import cv2
import numpy as np

from reconstruction.body_fits import FittedBody
from reconstruction.inputs import Clip, Photo
from reconstruction.motions import Motion
from reconstruction.outputs import COLOURS, pinhole_camera
from reconstruction.people import Person
from reconstruction.rigged_glb import smooth_quaternions, strongest_weights
from reconstruction.skeleton import move_skeleton
from utils.body_model import BodyModel, shape_vertices
from utils.camera import upright
from utils.errors import printable
from utils.files import atomic_path
from viewer.page import VIEWER, end_page, figure, start_page
from viewer.scenes import FITTED_BODY, PREDICTED_MESH, moving_mesh, scene_tag, still_mesh

PICTURE_SIZE = 480  # px, of the longer side


@contextlib.contextmanager
def open_report(
    path, faces: np.ndarray, model: BodyModel | None = None, focal: float | None = None
) -> Iterator["ReportWriter | None"]:
    """Yield what writes the page `path`, which is complete when the block ends, and is not there when it fails.

    Without a path, None. faces [F, 3]: of all meshes; model: the one that is fitted to people; focal: px, None for the
    diagonal of each photograph.
    """
    if not path:
        yield None
        return
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(start_page("People reconstructed with DecoMR", "people of photographs and videos"))
        stream.write(f'<div class="beside">\n{VIEWER}<div>\n')
        yield ReportWriter(stream, model, focal)
        skin = (model.parents, *strongest_weights(model.weights)) if model else None
        stream.write(f"</div>\n</div>\n{end_page(faces, skin=skin)}")


@dataclass(frozen=True)
class ReportWriter:
    """Writes photographs and videos with their people into an open page."""

    stream: TextIO
    model: BodyModel | None
    focal: float | None

    def add_photo(self, photo: Photo, people: list[Person], pictures: dict[str, np.ndarray]) -> None:
        """Add a photograph; pictures: everyone over it, RGB [H, W, 3] uint8, by kind of mesh."""
        meshes: dict[str, list[dict]] = {PREDICTED_MESH: [], FITTED_BODY: []}
        for number, person in enumerate(people):
            body = person.body
            kinds = {PREDICTED_MESH: person.vertices}
            if isinstance(body, FittedBody):
                kinds[FITTED_BODY] = body.vertices
            place = pinhole_camera(photo, person, self.focal).translation
            for kind, vertices in kinds.items():
                moved = upright(vertices + place)
                if np.isfinite(moved).all():
                    meshes[kind].append(still_mesh(moved, f"person{number}", COLOURS[number % len(COLOURS)]))
        variants = {kind: found for kind, found in meshes.items() if found}
        shown = {"photograph": photo.image[..., ::-1], **pictures}
        self._write(photo.file or photo.name, photo.name, "turn", _count(people), shown, variants)

    def add_video(self, clip: Clip, picture: np.ndarray, motions: list[tuple[int, Motion]]) -> None:
        """Add a video with the motions of its people by identity; picture: a frame with them, RGB [H, W, 3] uint8."""
        people = [self._describe(number, *entry) for number, entry in enumerate(motions)]
        variants = {FITTED_BODY: people} if people else {}
        words = f"motion of {_count(people)}"
        self._write(clip.file, clip.name, "play", words, {"a frame": picture}, variants, clip.frame_rate)

    def _describe(self, number: int, identity: int, motion: Motion) -> dict:
        assert self.model is not None, "nobody has a motion without a body model"
        skeleton = move_skeleton(self.model, motion.betas, motion.pose, motion.translation)
        return moving_mesh(
            shape_vertices(self.model, motion.betas), skeleton.rest, smooth_quaternions(skeleton.rotations),
            skeleton.root_places, motion.first_frame, f"person{number}", COLOURS[identity % len(COLOURS)],
        )  # fmt: skip

    def _write(
        self, file: str, name: str, verb: str, words: str, pictures: dict[str, np.ndarray], variants: dict,
        frame_rate: float | None = None,
    ) -> None:  # fmt: skip
        words = f"{printable(file)}: {words}"
        button = f'<button data-scene="{html.escape(name)}">{verb}</button>' if variants else ""
        figures = "".join(figure(_shrink(picture), caption) for caption, picture in pictures.items())
        self.stream.write(f'<div class="case"><p>{html.escape(words)} {button}</p>{figures}</div>\n')
        if variants:
            self.stream.write(scene_tag(name, words, variants, frame_rate))


def _count(people: list) -> str:
    return {0: "nobody", 1: "1 person"}.get(len(people), f"{len(people)} people")


def _shrink(picture: np.ndarray) -> np.ndarray:
    """The picture with its longer side at most PICTURE_SIZE."""
    height, width = picture.shape[:2]
    share = min(1.0, PICTURE_SIZE / max(height, width))
    size = max(1, round(share * width)), max(1, round(share * height))
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
