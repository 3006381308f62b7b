"""The files that say where people are: one for every photograph, one for all of them, or the command line.

`open_source` gives a function from a photograph to what is said about it. That raises NoFile or NotNamed where
nothing is, other UserErrors where a file cannot be read. What holds for all photographs is read at once.
"""

import os.path
from collections.abc import Callable, Sequence
from pathlib import Path

from reconstruction.boxes import Entry, box_of
from reconstruction.detections import read_detections
from reconstruction.inputs import Photo
from reconstruction.openpose import read_openpose
from reconstruction.photo_names import NoFile, NotNamed, files_of_frames
from reconstruction.yolo import read_yolo
from utils.errors import UserError

Source = Callable[[Photo], Sequence[Entry]]
ENDINGS_OF_KEYPOINTS = ("_keypoints.json", ".json")  # OpenPose; AlphaPose in OpenPose's format


def open_source(bbox: list[list[float]] | str | None, openpose: str | None, is_alone: bool = False) -> Source | None:
    """What says where people are: boxes (x, y, w, h), a file or folder of boxes, or one of OpenPose's; else None.

    is_alone: there is one photograph; boxes of one image are its, whatever number they call it by.
    """
    if isinstance(bbox, list):
        given = [box_of(box, f"--bbox: box {index}") for index, box in enumerate(bbox)]
        for error in (entry for entry in given if isinstance(entry, UserError)):
            raise error
        return lambda photo: given
    if bbox:
        return _boxes_of_folder(Path(bbox)) if os.path.isdir(bbox) else _boxes_of_file(Path(bbox), is_alone)
    if openpose:
        return _keypoints_of_folder(Path(openpose)) if os.path.isdir(openpose) else _keypoints_of_file(Path(openpose))
    return None


def _boxes_of_file(path: Path, is_alone: bool) -> Source:
    if path.suffix.lower() == ".txt":
        return read_yolo(path)
    detections = read_detections(path)
    if is_alone and len(detections.images) == 1 and all(isinstance(image, int) for image in detections.images):
        return lambda photo: detections.everyone()
    return detections.of


def _keypoints_of_file(path: Path) -> Source:
    people = read_openpose(path)
    return lambda photo: people


def _boxes_of_folder(folder: Path) -> Source:
    """STEM.json or YOLO's STEM.txt for each photograph; YOLO writes none where it finds nothing."""
    is_yolo = any(folder.glob("*.txt"))
    if not is_yolo and not any(folder.glob("*.json")):
        advice = " Give its folder labels." if (folder / "labels").is_dir() else ""
        raise UserError(f"the folder {folder} holds no .json or .txt files of boxes.{advice}")
    frames = files_of_frames(folder, ".json")

    def of(photo: Photo) -> list[Entry]:
        path = _file_of(photo, folder, (".json",), frames)
        if path:
            return read_detections(path).everyone()
        # ultralytics counts frames from 1
        names = [] if photo.frame is None else [f"{Path(photo.file).stem}_{photo.frame + 1}.txt"]
        for name in (*names, f"{photo.stem}.txt"):
            if (folder / name).is_file():
                return read_yolo(folder / name)(photo)
        if is_yolo:
            raise NotNamed(f"{folder} has no {' or '.join((*names, f'{photo.stem}.txt'))}")
        raise NoFile(f"{folder / photo.stem}.json cannot be read: No such file or directory.")

    return of


def _keypoints_of_folder(folder: Path) -> Source:
    """OpenPose's folder: STEM_keypoints.json for a picture, VIDEO_000000000007_keypoints.json for a frame."""
    frames = {key: path for ending in ENDINGS_OF_KEYPOINTS for key, path in files_of_frames(folder, ending).items()}

    def of(photo: Photo) -> list[Entry]:
        path = _file_of(photo, folder, ENDINGS_OF_KEYPOINTS, frames)
        if path:
            return read_openpose(path)
        name = photo.stem if photo.frame is None else f"{Path(photo.file).stem}_{photo.frame:012d}"
        raise NoFile(f"{folder / name}_keypoints.json cannot be read: No such file or directory.")

    return of


def _file_of(photo: Photo, folder: Path, endings: tuple, frames: dict) -> Path | None:
    """The file of a photograph, or of a frame whatever the width of its number."""
    for ending in endings:
        path = folder / f"{photo.stem}{ending}"
        if path.is_file():
            return path
    return None if photo.frame is None else frames.get((Path(photo.file).stem, photo.frame))
