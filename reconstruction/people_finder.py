"""Find the square of every person in a photograph, and report the photographs without people.

A photograph without people is no error. Pictures without people are reported at once; frames of a video are counted,
and reported at the end.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from reconstruction.boxes import Box, Entry, PassedOver, Square, make_square
from reconstruction.inputs import Photo
from reconstruction.people_files import open_source
from reconstruction.photo_names import NoFile, NotNamed
from utils.errors import UserError

WAYS_TO_SAY = "--bbox x,y,w,h, --openpose FILE or --detector FILE.onnx say where people are"


class PeopleFinder:
    """Called with one photograph after another; `finish` at the end.

    Args:
        bbox, openpose: as in `open_source`; without both and a detector, one person fills the picture.
        min_score: boxes with a lower score are passed over.
        say: prints a line that is no error.
        is_alone, detector: as in `open_source`.
    """

    def __init__(
        self,
        bbox,
        openpose: str | None,
        min_score: float = 0.0,
        say: Callable[[str], None] = print,
        is_alone: bool = False,
        detector: str | None = None,
    ):
        self.source = open_source(bbox, openpose, is_alone, detector, min_score)
        self.nobody = "there is no box in its file"
        if detector:
            self.nobody = f"the detector finds no person with a score of {min_score:g} or more"
        self.min_score, self.say = min_score, say
        self.passed_over: Counter = Counter()  # entries by reason
        self.frames: Counter = Counter()  # frames by video file name
        self.frames_without: Counter = Counter()
        self.missing: dict[str, list[NoFile]] = {}  # by video file name
        self.named = 0  # photographs that the files mention
        self.not_named: NotNamed | None = None
        self.without_score = 0
        if self.source is None:
            say(f"the whole picture is taken for one person; {WAYS_TO_SAY}")

    def __call__(self, photo: Photo) -> list[Square | UserError]:
        """Return a square for every person of the photograph, or a UserError for a box or file that is wrong."""
        if self.source is None:
            height, width = photo.image.shape[:2]
            return [Square(width / 2, height / 2, float(max(height, width)))]
        self.frames[photo.file] += photo.frame is not None
        try:
            entries = self.source(photo)
        except NotNamed as error:
            self.not_named = error
            return self._report_nobody(photo, str(error))
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
            return self._report_nobody(photo, "all boxes are passed over" if entries else self.nobody)
        return [make_square(entry, photo) if isinstance(entry, Box) else entry for entry in kept]

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

    def _report_nobody(self, photo: Photo, reason: str) -> list:
        if photo.frame is None:
            self.say(f"nobody in {photo.file or photo.name}: {reason}")
        else:
            self.frames_without[photo.file] += 1
        return []

    def finish(self) -> Iterator[UserError]:
        """Print the counts, and yield a UserError for what is wrong with the files as a whole."""
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
