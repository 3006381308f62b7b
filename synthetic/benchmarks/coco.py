"""A synthetic COCO 2014: photographs of one person each, and person_keypoints_train2014.json."""

import json
from pathlib import Path

import numpy as np

from synthetic.benchmarks.people import Album, Person, Tables, write_album
from synthetic.benchmarks.spin_fits import write_fits
from synthetic.stages import Collection
from utils import config
from utils.files import write_text
from utils.joints import COCO_JOINTS, TRAINING_JOINTS, indices

PICTURE = "train2014/COCO_train2014_{:012d}.jpg"
ANNOTATIONS = "annotations/person_keypoints_train2014.json"
PERSON = 1  # number of the category
FIRST_ANNOTATION = 1001  # so that it is not the number of the image
BODY = slice(COCO_JOINTS.index("left_shoulder"), None)  # the keypoints below the head
LABELLED, VISIBLE = 1, 2


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` photographs, their annotations and SPIN's fits of those whose body is annotated wholly."""
    album = Album("coco", folder, PICTURE)
    tables: Tables = {
        folder / ANNOTATIONS: lambda path, people: write_text(path, json.dumps(annotations(album, people))),
        config.SPIN_FITS / "coco.npz": lambda path, people: write_fits(path, list(filter(is_whole, people))),
    }
    write_album(album, tables, count, collection, workers)


def keypoints_of(person: Person) -> np.ndarray:
    """COCO's keypoints [17, 3] of a person: x, y, and 2 for visible, 1 for hidden, 0 for outside of the image."""
    found = person.keypoints[indices(COCO_JOINTS, TRAINING_JOINTS)]
    places = np.rint(found[:, :2])
    inside = ((places >= 0) & (places < (person.width, person.height))).all(axis=1)
    labels = np.where(found[:, 2] > 0, VISIBLE, LABELLED)
    return np.concatenate([places, labels[:, None]], axis=1) * inside[:, None]


def is_whole(person: Person) -> bool:
    """Whether all keypoints of the body are annotated, so that SPIN has a fit."""
    return bool((keypoints_of(person)[BODY, 2] > 0).all())


def annotations(album: Album, people: list[Person]) -> dict:
    """The content of the annotation file."""
    images = [
        {"id": index + 1, "file_name": Path(album.picture_name(index)).name, "height": one.height, "width": one.width}
        for index, one in enumerate(people)
    ]
    return {
        "info": {"description": "generated people in the format of COCO 2014"},
        "licenses": [],
        "images": images,
        "annotations": [_annotation(index, person) for index, person in enumerate(people)],
        "categories": [{"id": PERSON, "name": "person", "supercategory": "person", "keypoints": list(COCO_JOINTS)}],
    }


def _annotation(index: int, person: Person) -> dict:
    keypoints, (low, high) = keypoints_of(person), person.box
    return {
        "id": FIRST_ANNOTATION + index,
        "image_id": index + 1,
        "category_id": PERSON,
        "iscrowd": 0,
        "bbox": [round(float(number), 2) for number in (*low, *(high - low))],
        "area": round(float((high - low).prod()), 2),
        "segmentation": [[*low.tolist(), float(high[0]), float(low[1]), *high.tolist(), float(low[0]), float(high[1])]],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "keypoints": keypoints.astype(int).ravel().tolist(),
    }
