"""Find out where people are: a file for each photograph, one file for all, the command line or a detector says so.

`open_source` returns a function from a photograph to its entries. The function raises NoFile or NotNamed if there is
nothing about the photograph, and another UserError if a file cannot be read. `open_source` itself reads a file that
holds for all photographs.
"""

import os.path
from collections.abc import Callable, Sequence
from pathlib import Path

from reconstruction.boxes import Entry, make_box
from reconstruction.detections import read_detections
from reconstruction.detector import Detector
from reconstruction.detector_trial import try_detector
from reconstruction.inputs import Photo
from reconstruction.openpose import read_openpose
from reconstruction.photo_names import NoFile, NotNamed, find_frame_files
from reconstruction.yolo import read_yolo
from utils.errors import UserError

Source = Callable[[Photo], Sequence[Entry]]
ENDINGS_OF_KEYPOINTS = ("_keypoints.json", ".json")  # OpenPose's ending, AlphaPose's ending


def open_source(
    bbox: list[list[float]] | str | None,
    openpose: str | None,
    is_alone: bool = False,
    detector: str | None = None,
    min_score: float = 0.0,
) -> Source | None:
    """Open the source of boxes: boxes [x, y, w, h], a file or folder of boxes, of OpenPose, or a detector's ONNX file.

    is_alone: there is one photograph; boxes of one numbered image then belong to it, whatever the number.
    min_score: the detector gives no boxes with a lower score.
    Returns:
        A function from a photograph to its entries; None if nothing is given.
    """
    if isinstance(bbox, list):
        given = [make_box(box, f"--bbox: box {index}") for index, box in enumerate(bbox)]
        for error in (entry for entry in given if isinstance(entry, UserError)):
            raise error
        return lambda photo: given
    if bbox:
        return _open_box_folder(Path(bbox)) if os.path.isdir(bbox) else _open_box_file(Path(bbox), is_alone)
    if openpose:
        return _open_keypoint_folder(Path(openpose)) if os.path.isdir(openpose) else _open_keypoint_file(Path(openpose))
    if not detector:
        return None
    try_detector(detector)
    return Detector(detector, min_score)


def _open_box_file(path: Path, is_alone: bool) -> Source:
    if path.suffix.lower() == ".txt":
        return read_yolo(path)
    detections = read_detections(path)
    if is_alone and len(detections.images) == 1 and all(isinstance(image, int) for image in detections.images):
        return lambda photo: detections.list_all()
    return detections.find


def _open_keypoint_file(path: Path) -> Source:
    people = read_openpose(path)
    return lambda photo: people


def _open_box_folder(folder: Path) -> Source:
    """Open a folder with STEM.json or YOLO's STEM.txt for each photograph; YOLO writes no file if it finds nobody."""
    is_yolo = any(folder.glob("*.txt"))
    if not is_yolo and not any(folder.glob("*.json")):
        advice = " Give its folder labels." if (folder / "labels").is_dir() else ""
        raise UserError(f"the folder {folder} holds no .json or .txt files of boxes.{advice}")
    frames = find_frame_files(folder, ".json")

    def find_people(photo: Photo) -> list[Entry]:
        path = _find_file(photo, folder, (".json",), frames)
        if path:
            return read_detections(path).list_all()
        # ultralytics counts frames from 1
        names = [] if photo.frame is None else [f"{Path(photo.file).stem}_{photo.frame + 1}.txt"]
        for name in (*names, f"{photo.stem}.txt"):
            if (folder / name).is_file():
                return read_yolo(folder / name)(photo)
        if is_yolo:
            raise NotNamed(f"{folder} has no {' or '.join((*names, f'{photo.stem}.txt'))}")
        raise NoFile(f"{folder / photo.stem}.json cannot be read: No such file or directory.")

    return find_people


def _open_keypoint_folder(folder: Path) -> Source:
    """Open OpenPose's folder: STEM_keypoints.json for a picture, VIDEO_000000000007_keypoints.json for a frame."""
    frames = {key: path for ending in ENDINGS_OF_KEYPOINTS for key, path in find_frame_files(folder, ending).items()}

    def find_people(photo: Photo) -> list[Entry]:
        path = _find_file(photo, folder, ENDINGS_OF_KEYPOINTS, frames)
        if path:
            return read_openpose(path)
        name = photo.stem if photo.frame is None else f"{Path(photo.file).stem}_{photo.frame:012d}"
        raise NoFile(f"{folder / name}_keypoints.json cannot be read: No such file or directory.")

    return find_people


def _find_file(photo: Photo, folder: Path, endings: tuple, frames: dict) -> Path | None:
    """Find the file of a picture or of a frame; a frame's number may have any width."""
    for ending in endings:
        path = folder / f"{photo.stem}{ending}"
        if path.is_file():
            return path
    return None if photo.frame is None else frames.get((Path(photo.file).stem, photo.frame))
