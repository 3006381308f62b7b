"""Who is in a photograph: every person's square, and a word about the photographs without any.

That a detector saw nobody is a result and no fault, of a picture as of a frame. A picture is named at once, frames are
counted to the end.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from reconstruction.boxes import Box, Entry, PassedOver, Square, square_around
from reconstruction.inputs import Photo
from reconstruction.people_files import open_source
from reconstruction.photo_names import NoFile, NotNamed
from utils.errors import UserError


class PeopleFinder:
    """Called with one photograph after another; `finish` at the end.

    Args:
        bbox, openpose: as `open_source` takes them; where neither is given, one person fills the picture.
        min_score: boxes of a lower score are passed over.
        say: called with each line for the person at the terminal that is no error.
        is_alone: there is one photograph, see `open_source`.
    """

    def __init__(
        self, bbox, openpose: str | None, min_score: float = 0.0, say: Callable[[str], None] = print, is_alone=False
    ):
        self.source = open_source(bbox, openpose, is_alone)
        self.min_score, self.say = min_score, say
        self.passed_over: Counter = Counter()  # entries of files by reason
        self.frames: Counter = Counter()  # of videos by file name
        self.frames_without: Counter = Counter()
        self.missing: dict[str, list[NoFile]] = {}  # of videos by file name
        self.named = 0  # photographs that the files have something about
        self.not_named: NotNamed | None = None
        self.without_score = 0
        if self.source is None:
            say("neither --bbox nor --openpose: one person is taken to fill each picture")

    def __call__(self, photo: Photo) -> list[Square | UserError]:
        """A square for every person of the photograph; what is wrong with a person, or with a file, is a UserError."""
        if self.source is None:
            height, width = photo.image.shape[:2]
            return [Square(width / 2, height / 2, float(max(height, width)))]
        self.frames[photo.file] += photo.frame is not None
        try:
            entries = self.source(photo)
        except NotNamed as error:
            self.not_named = error
            return self._nobody(photo, str(error))
        except NoFile as error:
            if photo.frame is None:
                return [error]
            self.missing.setdefault(photo.file, []).append(error)
            return []
        except UserError as error:
            entries = [error]
        self.named += 1
        kept = self._keep(entries)
        if not kept:
            return self._nobody(photo, "all boxes are passed over" if entries else "there is no box in its file")
        return [square_around(entry, photo) if isinstance(entry, Box) else entry for entry in kept]

    def _keep(self, entries: Sequence[Entry]) -> list[Box | UserError]:
        kept: list[Box | UserError] = []
        for entry in entries:
            if isinstance(entry, PassedOver):
                self.passed_over[entry.reason] += 1
            elif isinstance(entry, Box) and entry.score is not None and entry.score < self.min_score:
                self.passed_over[f"with a score below {self.min_score:g}"] += 1
            else:
                self.without_score += isinstance(entry, Box) and entry.score is None
                kept.append(entry)
        return kept

    def _nobody(self, photo: Photo, reason: str) -> list:
        if photo.frame is None:
            self.say(f"nobody in {photo.file or photo.name}: {reason}")
        else:
            self.frames_without[photo.file] += 1
        return []

    def finish(self) -> Iterator[UserError]:
        """Says what was counted; what is wrong with the files as a whole is a UserError."""
        for video, count in self.frames_without.items():
            self.say(f"nobody in {count} of {self.frames[video]} frames of {video}")
        if self.passed_over:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.passed_over.items())
            self.say(f"passed over: {reasons}")
        if self.min_score > 0 and self.without_score:
            self.say(f"{self.without_score} boxes have no score; they were kept")
        for video, errors in self.missing.items():
            yield UserError(
                f"{len(errors)} of {self.frames[video]} frames of {video} have no file; the first: {errors[0]}"
            )
        if self.not_named and not self.named:
            yield UserError(
                f"--bbox has boxes of no photograph: {self.not_named}. Name images by file name, stem or number."
            )
