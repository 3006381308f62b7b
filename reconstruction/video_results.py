"""What a video becomes: its frames with the people drawn on them, and the motion of each person."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reconstruction.body_fits import FittedBody
from reconstruction.inputs import Clip, Photo
from reconstruction.motions import LEAST_FRAMES, MotionCollector, write_motion
from reconstruction.outputs import COLOURS, diagonal, pinhole_camera
from reconstruction.people import LEAST_MASK_SHARE, Person
from reconstruction.report import ReportWriter
from reconstruction.tracking import LEAST_SECONDS, Detection, Tracker
from utils.body_model import BodyModel
from utils.errors import UserError
from utils.joints import ROOT
from utils.media.video_files import write_frames
from utils.objfile import ObjMesh
from utils.pictures import draw_mesh

BODY_POINTS = 128  # about this number of vertices tells poses apart
SUPERSAMPLE = 2  # samples of a pixel's side; what a video's compression leaves of finer edges is not seen


@dataclass(frozen=True)
class VideoWriter:
    """Writes everything about a video below `folder`.

    {name}_overlay.mp4 shows the people on the frames. {name}_person{k}.glb, .bvh and .npz are the motion of each person
    whose body model could be fitted, k from 0 in the order in which they come into view.
    """

    folder: Path
    atlas: ObjMesh  # the faces of the meshes
    tell: Callable[[str], None]  # prints a line
    model: BodyModel | None = None  # the one that is fitted to the people; without it nobody has a motion
    focal: float | None = None  # px; None: the diagonal of the frames
    smooth: float = 0.0  # seconds
    write_frame: Callable[[Photo, list[Person]], object] | None = None  # what is called with each frame with people
    report: ReportWriter | None = None

    def __call__(self, clip: Clip, frames: Iterable[tuple[Photo, list[Person]]]) -> int:
        """Write the files of a video from its frames, which are taken one after the other; returns how many people."""
        motions = MotionCollector(self.model, clip.frame_rate, self.smooth) if self.model else None
        people = _People(clip, self.focal, motions)
        path = self.folder / f"{clip.name}_overlay.mp4"
        write_frames(path, self._draw(frames, people), clip.frame_rate / clip.every)
        people.finish()
        found = [*motions.finish()] if motions else []
        if self.model:
            for number, (_, motion) in enumerate(found):
                write_motion(self.folder / f"{clip.name}_person{number}", self.model, motion)
            if not found or len(found) < people.count:
                self.tell(
                    f"warning: {clip.file}: {len(found)} of {people.count} people have a motion; it takes "
                    f"{LEAST_FRAMES} frames with a body, {LEAST_SECONDS:g} seconds apart"
                )
        if self.report and people.picture is not None:
            self.report.add_video(clip, people.picture[..., ::-1], found)
        if people.without_body:
            self.tell(
                f"warning: {clip.file}: in {people.without_body} of {people.crops} crops the network sees too little "
                "of a body, or the body model cannot be fitted; the motion is filled in there. Check the boxes."
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
            people.keep_picture(picture, len(found))
            size = size or picture.shape[1::-1]
            yield picture if picture.shape[1::-1] == size else cv2.resize(picture, size)


class _People:
    """The people of a video, who are followed over its frames; their bodies go to `motions`."""

    def __init__(self, clip: Clip, focal: float | None, motions: MotionCollector | None):
        self.clip, self.focal, self.motions = clip, focal, motions
        self.crops = self.without_body = 0
        self.picture: np.ndarray | None = None  # [H, W, 3] BGR: the first of the frames that show most people
        self._most = -1
        self._track = Tracker()
        self._seen: set[int] = set()

    def __call__(self, photo: Photo, people: list[Person]) -> list[int]:
        """The identities of the people in the next frame."""
        assert photo.frame is not None
        identities = self._track(photo.frame / self.clip.frame_rate, [_detection(person) for person in people])
        for identity, person in zip(identities, people, strict=True):
            self._collect(identity, photo, person)
        self._seen.update(identities)
        self._forget(self._track.drop_brief())
        return identities

    def keep_picture(self, picture: np.ndarray, count: int) -> None:
        """Keep the drawn frame if it shows more people than those before."""
        if count > self._most:
            self.picture, self._most = picture, count

    def _collect(self, identity: int, photo: Photo, person: Person) -> None:
        self.crops += 1
        body = person.body
        if person.mask_share < LEAST_MASK_SHARE or isinstance(body, UserError):
            self.without_body += 1
        elif self.motions and isinstance(body, FittedBody) and photo.frame is not None:
            self.focal = self.focal or diagonal(photo.image)
            pelvis = body.joints[ROOT] + pinhole_camera(photo, person, self.focal).translation
            self.motions.add(identity, photo.frame, body.pose, body.betas, pelvis)

    def _forget(self, brief: list[int]) -> None:
        self._seen.difference_update(brief)
        if self.motions:
            self.motions.forget(brief)

    def finish(self) -> None:
        """Say that there are no more frames."""
        self._forget(self._track.drop_brief(is_over=True))

    @property
    def count(self) -> int:
        """Number of people who were seen long enough."""
        return len(self._seen)


def _detection(person: Person) -> Detection:
    points = person.vertices[:: max(len(person.vertices) // BODY_POINTS, 1)]
    return Detection(np.array([*person.square.centre, person.square.side]), points - points.mean(0))
