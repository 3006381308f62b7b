"""Boxes in JSON, written by hand or by a detector.

[x, y, w, h], a list of such boxes, or {"bbox": either}               by hand
[{"image_id", "category_id", "bbox", "score"}, ...]                   COCO results: pycocotools, detectron2, mmdet,
                                                                      ultralytics; AlphaPose says "box"
{"images": [...], "annotations": [...], "categories": [...]}          COCO annotations
[{"name", "class", "confidence", "box": {"x1", "y1", "x2", "y2"}}]    ultralytics' Results.to_json
{"labels": [...], "scores": [...], "bboxes": [[x1, y1, x2, y2]]}      mmdet's DetInferencer
"""

import reprlib
from itertools import islice
from pathlib import Path

from reconstruction.boxes import CORNERS, Entry, PassedOver, make_box, parse_numbers
from reconstruction.documents import load_json
from reconstruction.inputs import Photo
from reconstruction.photo_names import NotNamed, get_file_name, get_stem, list_keys, make_key, parse_frame
from utils.errors import UserError

# COCO's number of the category, its place in the list of classes, its name
PERSON_CATEGORY, PERSON_CLASS, PERSON_NAME = 1, 0, "person"
OTHER_CLASS = "of another class than person"
CROWD = "that mark a crowd"


class Detections:
    """The boxes of one file. A box belongs to the photograph that it names; a box without a name belongs to all."""

    def __init__(self, path: Path):
        self.path = path
        self.everywhere: list[Entry] = []
        self.by_key: dict = {}
        self.images: set = set()

    def list_all(self) -> list[Entry]:
        """List all boxes, whatever photograph they name; for a file that belongs to one photograph."""
        named = {id(entry): entry for entries in self.by_key.values() for entry in entries}
        return [*self.everywhere, *named.values()]

    def find(self, photo: Photo) -> list[Entry]:
        """Find the boxes of a photograph; NotNamed if all boxes belong to other photographs."""
        for key in list_keys(photo):
            if key in self.by_key:
                return [*self.everywhere, *self.by_key[key]]
        if self.by_key and not self.everywhere:
            names = ", ".join(reprlib.repr(key) for key in islice(self.by_key, 3))
            raise NotNamed(f"{self.path} has no box of {photo.file or photo.stem}; it has some of {names}")
        return self.everywhere

    def add(self, name: str | int | None, entries: list[Entry]) -> None:
        """Add boxes of the image `name`, a file name or number; None: of every image."""
        if name is None:
            self.everywhere += entries
            return
        self.images.add(name)
        keys: list = [name]
        if isinstance(name, str):
            base = get_file_name(name)
            stem = get_stem(base)
            keys = [base, stem, make_key(stem), parse_frame(stem)]
        for key in dict.fromkeys(keys):
            if key is not None:
                self.by_key.setdefault(key, []).extend(entries)


def read_detections(path: Path) -> Detections:
    """Read the boxes of a JSON file."""
    content, found = load_json(path), Detections(path)
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        _add_annotations(found, content)
        return found
    for index, entry in enumerate(_list_entries(content, path)):
        where = f"{path}: box {index}"
        if not isinstance(entry, dict):
            entry = {"bbox": entry}
        names_image = any(entry.get(key) is not None for key in ("file_name", "image_id"))
        found.add(_name_image(entry, where) if names_image else None, [_make_entry(entry, where, {PERSON_CATEGORY})])
    return found


def _name_image(entry: dict, where: str) -> str | int:
    """Find the name of the image that an entry belongs to: its file_name, else its image_id."""
    for name in (entry.get("file_name"), entry.get("image_id")):
        if name is not None:
            found = name if isinstance(name, str) else make_key(name)
            if found is None:
                raise UserError(f"{where} has image_id {reprlib.repr(name)}, expected a number or a file name.")
            return found
    raise UserError(f"{where} has no image_id.")


def _list_entries(content, path: Path) -> list:
    """List the entries of a file; each is a box or an object."""
    if isinstance(content, dict) and isinstance(content.get("bboxes"), list):
        return _join_columns(content, path)
    if isinstance(content, dict) and isinstance(content.get("bbox"), list):
        boxes = content["bbox"]
        return boxes if not boxes or isinstance(boxes[0], list) else [content]
    if not isinstance(content, list):
        raise UserError(f'{path} has no boxes, expected {{"bbox": [x, y, w, h]}}, a list of boxes, or COCO results.')
    is_one = content and not any(isinstance(entry, (list, dict)) for entry in content)
    return [content] if is_one else content


def _join_columns(content: dict, path: Path) -> list[dict]:
    """Join mmdet's lists "bboxes", "labels" and "scores" to one object for each box."""
    boxes = content["bboxes"]
    columns = [content.get(name, [None] * len(boxes)) for name in ("labels", "scores")]
    if not all(isinstance(column, list) and len(column) == len(boxes) for column in columns):
        raise UserError(f"{path} has {len(boxes)} bboxes, expected as many labels and scores.")
    objects = []
    for box, label, score in zip(boxes, *columns, strict=True):
        is_box = isinstance(box, list) and len(box) == len(CORNERS)
        entry = {"box": dict(zip(CORNERS, box, strict=True)) if is_box else box, "score": score}
        objects.append(entry if label is None else entry | {"class": label})
    return objects


def _add_annotations(found: Detections, content: dict) -> None:
    """Add COCO annotations: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id", "bbox"}]}."""
    categories, images = _make_objects(content.get("categories")), _make_objects(content.get("images"))
    persons = {make_key(entry.get("id")) for entry in categories if _is_called_person(entry)}
    if not persons and any("name" in entry for entry in categories):
        raise UserError(f'{found.path} has no category "{PERSON_NAME}".')
    names = {make_key(image.get("id")): image.get("file_name") for image in images}
    for image, name in names.items():
        found.add(name if isinstance(name, str) else image, [])  # an image without annotations shows nobody
    for index, entry in enumerate(_make_objects(content["annotations"])):
        where = f"{found.path}: annotation {index}"
        image = make_key(_name_image(entry, where))
        name = names.get(image)
        found.add(name if isinstance(name, str) else image, [_make_entry(entry, where, persons or {PERSON_CATEGORY})])


def _make_objects(values) -> list[dict]:
    return [value if isinstance(value, dict) else {} for value in values] if isinstance(values, list) else []


def _is_called_person(entry: dict) -> bool:
    name = entry.get("name")
    return isinstance(name, str) and name.lower() == PERSON_NAME


def _make_entry(entry: dict, where: str, persons: set) -> Entry:
    if not _is_person(entry, persons):
        return PassedOver(OTHER_CLASS)
    if entry.get("iscrowd") == 1:
        return PassedOver(CROWD)
    box, score = entry.get("bbox", entry.get("box")), entry.get("score", entry.get("confidence"))
    if box is None:
        return UserError(f"{where} has no bbox, expected [x, y, w, h].")
    checked = None if score is None else parse_numbers([score])
    if score is not None and checked is None:
        return UserError(f"{where} has score {reprlib.repr(score)}, expected a number.")
    has_corners = isinstance(box, dict)
    values = [box.get(name) for name in CORNERS] if isinstance(box, dict) else box
    return make_box(values, where, None if checked is None else float(checked[0]), has_corners)


def _is_person(entry: dict, persons: set) -> bool:
    if "category_id" in entry:
        return make_key(entry["category_id"]) in persons
    if isinstance(entry.get("name"), str):
        return _is_called_person(entry)
    return "class" not in entry or make_key(entry["class"]) == PERSON_CLASS
