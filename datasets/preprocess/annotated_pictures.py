"""Rows of data sets that name the keypoints of all their pictures in one file: COCO, MPII and the sets of LSP.

The file is read once, into columns of all rows. Processes then only look at the pictures, so a sample is a row, and one
whose picture is missing or damaged is reported by its name.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from datasets.preprocess.preparation import newest_change
from datasets.preprocess.samples import BOX_MARGIN, Incomplete
from utils.camera import BOX_UNIT
from utils.errors import UserError
from utils.joints import TRAINING_JOINTS, indices
from utils.media.image_files import image_size

RENEW_ADVICE = "Download the data set again; see data/README.md."
NUMBERS = ("center", "scale", "part")


def training_keypoints(keypoints: np.ndarray, joints: tuple[str, ...]) -> np.ndarray:
    """Keypoints [N, J, 3] (x px, y px, confidence) of a joint set -> column part [N, 24, 3], float32."""
    part = np.zeros((len(keypoints), len(TRAINING_JOINTS), 3), np.float32)
    with np.errstate(over="ignore"):  # larger numbers become infinite, and their row is broken
        part[:, indices(joints, TRAINING_JOINTS)] = keypoints
    return part


def boxes_of_keypoints(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest x and y px, both [N, 2], of keypoints [N, J, >=2] that are all visible."""
    places = keypoints[..., :2]
    return places.min(axis=1), places.max(axis=1)


def centres_and_scales(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns center [N, 2] px and scale [N] (side / 200 px) of the crops around boxes with corners [N, 2] px."""
    return (low + high) / 2, BOX_MARGIN * (high - low).max(axis=1) / BOX_UNIT


@dataclass(frozen=True)
class AnnotatedPictures:
    """The rows of a table, each given out if its picture can be read.

    Called with the name of a sample, it gives its columns [1, ...]. Names are the values of column `source` as text.
    root: folder of the pictures. annotations: the file that the columns [N, ...] were read from. sizes: [N, 2] the
    height and width that the pictures have by the annotations, if these tell.
    """

    root: Path
    annotations: Path
    source: str
    columns: dict[str, np.ndarray]
    sizes: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        """The names of all samples."""
        return list(self.places)

    @cached_property
    def places(self) -> dict[str, int]:
        """Name of a sample -> its row."""
        return {str(value): index for index, value in enumerate(self.columns[self.source].tolist())}

    def newest_change(self, name: str) -> float:
        """Time of the last change to the files of a sample; infinite if one is missing."""
        return newest_change(self.annotations, *self.files(name)) if name in self.places else float("inf")

    def files(self, name: str) -> list[Path]:
        """The picture of a sample, and other files that its row depends on."""
        return [self.root / str(self.columns["imgname"][self.places[name]])]

    def __call__(self, name: str) -> dict | Incomplete:
        return self.checked_row(name)

    def checked_row(self, name: str) -> dict:
        """The columns [1, ...] of a sample; UserError if they or the picture cannot be used."""
        index = self.places[name]
        row = {key: column[index : index + 1] for key, column in self.columns.items()}
        for key in NUMBERS:
            if not np.isfinite(row[key]).all():
                raise UserError(f"{self.annotations} has keypoints or a box that are not finite numbers.")
        if not row["scale"][0] > 0:
            raise UserError(f"{self.annotations} has a box of size 0.")
        path = self.files(name)[0]
        height, width = image_size(path, RENEW_ADVICE)
        if self.sizes is not None and (height, width) != tuple(self.sizes[index]):
            expected = "{1} x {0}".format(*self.sizes[index])
            raise UserError(f"{path} has {width} x {height} px, but {self.annotations} says {expected}. {RENEW_ADVICE}")
        return row
