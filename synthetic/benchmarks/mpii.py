"""A synthetic MPII: photographs of one person each, and annot/train.h5."""

from pathlib import Path

import numpy as np

from synthetic.benchmarks.people import Album, Person, Tables, write_album
from synthetic.benchmarks.spin_fits import write_fits
from synthetic.stages import Collection
from utils import config
from utils.camera import BOX_UNIT
from utils.files import atomic_path
from utils.joints import MPII_JOINTS, TRAINING_JOINTS, indices
from utils.optional_packages import import_package

PICTURE = "images/{:09d}.jpg"
ANNOTATIONS = "annot/train.h5"
NOT_ANNOTATED = -1.0  # coordinate of joints outside of the image
MARGIN = 1.2  # side of the crop over the larger side of the body's box


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` photographs, their annotations and SPIN's fits of those whose joints are all annotated."""
    import_package("h5py", "MPII")  # before hours of work
    album = Album("mpii", folder, PICTURE)
    tables: Tables = {
        folder / ANNOTATIONS: lambda path, people: _write_annotations(path, album, people),
        config.SPIN_FITS / "mpii.npz": lambda path, people: write_fits(path, list(filter(is_whole, people))),
    }
    write_album(album, tables, count, collection, workers)


def keypoints_of(person: Person) -> np.ndarray:
    """MPII's keypoints [16, 2] px of a person."""
    places = person.keypoints[indices(MPII_JOINTS, TRAINING_JOINTS), :2]
    inside = ((places > 0) & (places < (person.width, person.height))).all(axis=1)
    return np.where(inside[:, None], places, NOT_ANNOTATED)


def is_whole(person: Person) -> bool:
    """Whether all joints are annotated, so that SPIN has a fit."""
    return bool((keypoints_of(person) > 0).all())


def _write_annotations(path: Path, album: Album, people: list[Person]) -> None:
    h5py = import_package("h5py", "MPII")
    low, high = np.array([person.box for person in people]).swapaxes(0, 1)
    names = [Path(album.picture_name(index)).name for index in range(len(people))]
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file["center"] = (low + high) / 2
        file["imgname"] = names
        file["part"] = np.array([keypoints_of(person) for person in people])
        file["scale"] = MARGIN * (high - low).max(axis=1) / BOX_UNIT
