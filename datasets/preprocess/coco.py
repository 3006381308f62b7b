"""COCO 2014 original files -> the table of its training split.

COCO: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. `annotations/person_keypoints_train2014.json`
names 17 keypoints of each person as x, y, v: 0 not labelled, 1 labelled but hidden, 2 visible. A row is a person whose
12 keypoints below the head are all labelled, in the order of the file, which SPIN's fits follow. Crowds have no
labelled keypoints, so they give no row. The box is COCO's own.
"""

import json
from pathlib import Path

import numpy as np

from datasets.preprocess.annotated_pictures import (
    RENEW_ADVICE,
    AnnotatedPictures,
    centres_and_scales,
    training_keypoints,
)
from datasets.preprocess.preparation import Plan, Preparation
from datasets.preprocess.tables import Layout
from utils.errors import UserError
from utils.files import inside, require_file
from utils.joints import COCO_JOINTS

ANNOTATIONS = "annotations/person_keypoints_train2014.json"
PICTURES = "train2014"
LISTS = ("images", "annotations", "categories")
BODY = slice(COCO_JOINTS.index("left_shoulder"), None)  # the keypoints below the head
LAYOUT = Layout("id", ("id", "imgname", "center", "scale", "part"))


def read_annotations(path: Path) -> dict:
    """The lists `images`, `annotations` and `categories` of the annotation file, without the outlines of people."""
    require_file(path, RENEW_ADVICE)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_hook=_without_outline)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON: {error}. {RENEW_ADVICE}") from error
    missing = [name for name in LISTS if not (isinstance(content, dict) and isinstance(content.get(name), list))]
    if missing:
        raise UserError(f"{path} has no list of {', '.join(missing)}, expected COCO's keypoints. {RENEW_ADVICE}")
    return content


def _without_outline(entry: dict) -> dict:
    """Outlines are most of the file: without them, memory stays small while it is read."""
    entry.pop("segmentation", None)
    return entry


def read_people(path: Path, root: Path) -> AnnotatedPictures:
    """The people of an annotation file whose bodies are labelled wholly; pictures lie below `root`."""
    content = read_annotations(path)
    place, people = "images", []
    try:
        images = {entry["id"]: entry for entry in content["images"]}
        place = "categories"
        kinds = {entry["id"] for entry in content["categories"] if entry["name"] == "person"}
        for number, entry in enumerate(content["annotations"]):
            place = f"annotations, entry {number}"
            if entry["image_id"] not in images:
                raise ValueError(f"image {entry['image_id']} is not in the list of images")
            person = _person(entry, images[entry["image_id"]]) if entry["category_id"] in kinds else None
            if person and (person["keypoints"][BODY, 2] > 0).all():
                people.append(person)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: {place}: {reason}, expected COCO's keypoints of people. {RENEW_ADVICE}") from error
    if not people:
        raise UserError(f"{path} has no person whose 12 keypoints below the head are labelled. {RENEW_ADVICE}")
    return _table(path, root, {key: np.array([person[key] for person in people]) for key in people[0]})


def _person(entry: dict, image: dict) -> dict:
    return {
        "id": np.int64(entry["id"]),
        "imgname": f"{PICTURES}/{image['file_name']}",
        "keypoints": np.array(entry["keypoints"], np.float64).reshape(len(COCO_JOINTS), 3),
        "box": np.array(entry["bbox"], np.float64).reshape(4),
        "size": np.array([image["height"], image["width"]], np.int64),
    }


def _table(path: Path, root: Path, people: dict[str, np.ndarray]) -> AnnotatedPictures:
    numbers, counts = np.unique(people["id"], return_counts=True)
    if (counts > 1).any():
        raise UserError(f"{path} has several annotations with the id {numbers[counts > 1][0]}. {RENEW_ADVICE}")
    for name in dict.fromkeys(people["imgname"].tolist()):
        inside(root, name, path)
    keypoints, box = people["keypoints"], people["box"]
    keypoints[..., 2] = keypoints[..., 2] > 0
    centre, scale = centres_and_scales(box[:, :2], box[:, :2] + box[:, 2:])
    columns = {
        "id": people["id"], "imgname": people["imgname"], "center": centre, "scale": scale,
        "part": training_keypoints(keypoints, COCO_JOINTS),
    }  # fmt: skip
    return AnnotatedPictures(root, path, LAYOUT.source, columns, people["size"])


class Coco(Preparation):
    """The preparation of COCO 2014: the table of its training split, and IUV images of SPIN's fits."""

    name = "coco"

    def plan(self, split: str) -> Plan:
        """The people of the training pictures whose bodies are labelled wholly."""
        people = read_people(self.root / ANNOTATIONS, self.root)
        return Plan(LAYOUT, people.names, people, people.newest_change)
