"""What a video becomes: its frames with the people drawn on them, each followed and in a colour of their own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reconstruction.inputs import Clip, Photo
from reconstruction.outputs import COLOURS
from reconstruction.people import LEAST_MASK_SHARE, Person
from reconstruction.tracking import Detection, Tracker
from utils.media.video_files import write_frames
from utils.objfile import ObjMesh
from utils.pictures import draw_mesh

BODY_POINTS = 128  # about this number of vertices tells poses apart
SUPERSAMPLE = 2  # samples of a pixel's side; what a video's compression leaves of finer edges is not seen


@dataclass(frozen=True)
class VideoWriter:
    """Writes everything about a video below `folder`: {name}_overlay.mp4 shows the people on the frames."""

    folder: Path
    atlas: ObjMesh  # the faces of the meshes
    tell: Callable[[str], None]  # prints a line
    write_frame: Callable[[Photo, list[Person]], object] | None = None  # what is called with each frame with people

    def __call__(self, clip: Clip, frames: Iterable[tuple[Photo, list[Person]]]) -> int:
        """Write the files of a video from its frames, which are taken one after the other; returns how many people."""
        people = _People(clip)
        path = self.folder / f"{clip.name}_overlay.mp4"
        write_frames(path, self._draw(frames, people), clip.frame_rate / clip.every)
        people.finish()
        if people.empty_crops:
            self.tell(
                f"warning: {clip.file}: the network sees too little of a body in {people.empty_crops} of "
                f"{people.crops} crops for meshes that mean anything. Check the boxes."
            )
        return people.count

    def _draw(self, frames: Iterable[tuple[Photo, list[Person]]], people: "_People") -> Iterator[np.ndarray]:
        """The frames [H, W, 3] BGR, all of the first one's size, with the people; the larger, the further in front."""
        size = None
        for photo, found in frames:
            if self.write_frame and found:
                self.write_frame(photo, found)
            drawn = sorted(zip(people(photo, found), found, strict=True), key=lambda entry: entry[1].image_camera[0])
            picture = photo.image
            for identity, person in drawn:
                colour = COLOURS[identity % len(COLOURS)][::-1]
                picture = draw_mesh(
                    picture, person.vertices, self.atlas.faces, person.image_camera, colour, SUPERSAMPLE
                )
            size = size or picture.shape[1::-1]
            yield picture if picture.shape[1::-1] == size else cv2.resize(picture, size)


class _People:
    """The people of a video, who are followed over its frames."""

    def __init__(self, clip: Clip):
        self.clip = clip
        self.crops = self.empty_crops = 0
        self._track = Tracker()
        self._seen: set[int] = set()

    def __call__(self, photo: Photo, people: list[Person]) -> list[int]:
        """The identities of the people in the next frame."""
        assert photo.frame is not None
        identities = self._track(photo.frame / self.clip.frame_rate, [_detection(person) for person in people])
        self.crops += len(people)
        self.empty_crops += sum(person.mask_share < LEAST_MASK_SHARE for person in people)
        self._seen.update(identities)
        self._seen.difference_update(self._track.drop_brief())
        return identities

    def finish(self) -> None:
        """Say that there are no more frames."""
        self._seen.difference_update(self._track.drop_brief(is_over=True))

    @property
    def count(self) -> int:
        """Number of people who were seen long enough."""
        return len(self._seen)


def _detection(person: Person) -> Detection:
    points = person.vertices[:: max(len(person.vertices) // BODY_POINTS, 1)]
    return Detection(np.array([*person.square.centre, person.square.side]), points - points.mean(0))
