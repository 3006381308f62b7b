"""The photographs of a synthetic benchmark, and what is known about the person on each.

Photographs are taken in several processes. What is known about photograph n is kept in `truth/n.npz` of the data set's
folder; it is written last and marks the photograph as complete, so an interrupted run continues. The tables of a data
set (its annotation files) are made of all these files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from synthetic.photographs.photos import Photo, Stage, take_photo
from synthetic.stages import Collection, Studio
from utils.errors import UserError
from utils.files import make_folder, read_npz, write_bytes, write_npz, write_text
from utils.workers import run_in_processes

TRUTH = "truth"  # folder of what is known about each photograph
COUNT_FILE = "count.txt"  # in it: the number of people in the tables that are written
MOST_PEOPLE = 50_000  # in a data set
JPEG_QUALITY = 95
# Data set -> number of its first photograph in the collection of a seed, so that no two show the same. UP-3D's are
# below 100 000, SURREAL's videos below 230 000.
STREAMS = {
    "coco": 300_000,
    "mpii": 350_000,
    "lsp": 400_000,
    "lsp_orig": 450_000,
    "lspet": 500_000,
    "h36m_train": 600_000,
}


@dataclass(frozen=True)
class Person:
    """The person on a photograph of height x width px.

    pose [72] and betas [10] of the neutral body model; keypoints [24, 3]: the training joints as x px, y px, visible;
    box [2, 2]: the lowest and the highest pixel (x, y) of the body inside the image.
    """

    pose: np.ndarray
    betas: np.ndarray
    keypoints: np.ndarray
    box: np.ndarray
    height: int
    width: int


@dataclass(frozen=True)
class Album:
    """The photographs of a data set.

    name: of the data set, in STREAMS. picture: the name of a photograph below the folder, with a place for its number.
    first: the number of the first. more: writes other files of a photograph below `others`, called with (number, photo,
    stage); picklable.
    """

    name: str
    folder: Path
    picture: str
    first: int = 1
    more: Callable[[int, Photo, Stage], None] | None = None
    others: Path | None = None

    def picture_name(self, index: int) -> str:
        """The name of photograph `index`, from 0, relative to the folder."""
        return self.picture.format(self.first + index)

    def truth_file(self, index: int) -> Path:
        """What is known about photograph `index`."""
        return self.folder / TRUTH / f"{index:05d}.npz"


Tables = dict[Path, Callable[[Path, list[Person]], None]]  # file -> what writes it, called with it and all people


def write_album(album: Album, tables: Tables, count: int, collection: Collection, workers: int) -> None:
    """Take the missing of `count` photographs, then write the tables if one is missing or there are more people.

    Photographs of an earlier run stay, so there are never fewer people than before.
    """
    _refuse_foreign(album, tables)
    truth = make_folder(album.folder / TRUTH)
    count = max(count, len(list(truth.glob("*.npz"))))
    files = [(album.truth_file(index), album.folder / album.picture_name(index)) for index in range(count)]
    missing = [index for index, pair in enumerate(files) if not all(path.is_file() for path in pair)]
    taken = run_in_processes(_Photographer(album.folder, collection, album), missing, workers, one_thread=True)
    for _ in tqdm(taken, album.name, len(missing), unit="file", disable=not missing):
        pass
    counted = truth / COUNT_FILE
    finished = counted.is_file() and counted.read_text(encoding="utf-8") == f"{count}\n"
    if not finished or not all(path.is_file() for path in tables):
        people = [read_person(album.truth_file(index)) for index in range(count)]
        for path, write in tables.items():
            write(path, people)
        write_text(counted, f"{count}\n")


def _refuse_foreign(album: Album, tables: Tables) -> None:
    """UserError if the files of this data set were not made here."""
    if (album.folder / TRUTH).is_dir():
        return
    places = [album.folder, *tables, *([album.others] if album.others else [])]
    held = [path for path in places if path.is_file() or path.is_dir() and any(path.iterdir())]
    if held:
        raise UserError(
            f"{held[0]} was not made here and is left as it is. Choose another folder with --data_dir, or leave out "
            f"--{album.name}."
        )


@dataclass(frozen=True)
class _Photographer(Studio):
    """Take and write one photograph, called with its index; each process opens its own stage."""

    album: Album

    def __call__(self, index: int) -> None:
        album = self.album
        photo = take_photo(self.stage, self.seed, STREAMS[album.name] + index)
        write_picture(album.folder / album.picture_name(index), photo.image)
        if album.more:
            album.more(album.first + index, photo, self.stage)
        height, width = photo.image.shape[:2]
        write_npz(
            album.truth_file(index), pose=photo.body["pose"], betas=photo.body["betas"], keypoints=photo.keypoints,
            box=photo.box(), size=np.array([height, width]),
        )  # fmt: skip


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an image [H, W, 3] uint8 BGR as the ending of `path` says."""
    _, content = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    write_bytes(path, content.tobytes())


def read_person(path: Path) -> Person:
    """Read what is known about a photograph."""
    known = read_npz(path, "Delete it and run the same command again.")
    height, width = known["size"].tolist()
    return Person(known["pose"], known["betas"], known["keypoints"], known["box"], height, width)
