"""MPII original files -> the table of its training split.

MPII: Andriluka et al., "2D Human Pose Estimation: New Benchmark and State of the Art Analysis", CVPR 2014.
`annot/train.h5`, made by Newell et al. for "Stacked Hourglass Networks", has 16 joints of each person. A row is a
person whose coordinates are all above 0, in the order of the file, which SPIN's fits follow. Column `id` is the
person's place in the file. Centre and scale are those of the file.
"""

import os
from pathlib import Path

import numpy as np

from datasets.preprocess.annotated_pictures import RENEW_ADVICE, AnnotatedPictures, training_keypoints
from datasets.preprocess.preparation import Plan, Preparation
from datasets.preprocess.tables import Layout
from utils.array_files.hdf5 import read_hdf5
from utils.array_files.pickles import as_floats
from utils.errors import UserError
from utils.files import inside
from utils.joints import MPII_JOINTS

ANNOTATIONS = "annot/train.h5"
PICTURES = "images"
SHAPES = {"center": (2,), "imgname": (), "part": (len(MPII_JOINTS), 2), "scale": ()}  # of a row
LAYOUT = Layout("id", ("id", "imgname", "center", "scale", "part"))


def read_people(path: Path, root: Path) -> AnnotatedPictures:
    """The people of an annotation file whose joints all have coordinates above 0; pictures lie below `root`."""
    content = read_hdf5(path, tuple(SHAPES), "MPII", RENEW_ADVICE)
    count = len(np.atleast_1d(content["imgname"]))
    for name, shape in SHAPES.items():
        expected, found = (count, *shape), content[name].shape
        if found != expected and found != (*expected, 1):
            raise UserError(f"{path} has {name} of shape {found}, expected {expected}. {RENEW_ADVICE}")
        content[name] = content[name].reshape(expected)
    centre, joints, scale = (as_floats(path, name, content[name]) for name in ("center", "part", "scale"))
    names = np.array([f"{PICTURES}/{_text(path, value)}" for value in content["imgname"].tolist()])
    for name in dict.fromkeys(names.tolist()):
        inside(root, name, path)
    kept = np.flatnonzero((joints > 0).all(axis=(1, 2)))
    if not len(kept):
        raise UserError(f"{path} has no person whose coordinates are all above 0. {RENEW_ADVICE}")
    keypoints = np.concatenate([joints, np.ones((count, len(MPII_JOINTS), 1))], axis=2)[kept]
    columns = {
        "id": kept, "imgname": names[kept], "center": centre[kept], "scale": scale[kept],
        "part": training_keypoints(keypoints, MPII_JOINTS),
    }  # fmt: skip
    return AnnotatedPictures(root, path, LAYOUT.source, columns)


def _text(path: Path, value) -> str:
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if not isinstance(value, str):
        raise UserError(f"{path} has imgname of {type(value).__name__} values, expected text. {RENEW_ADVICE}")
    return value


class Mpii(Preparation):
    """The preparation of MPII: the table of its training split, and IUV images of SPIN's fits."""

    name = "mpii"

    def plan(self, split: str) -> Plan:
        """The people of the training pictures whose joints are all annotated."""
        people = read_people(self.root / ANNOTATIONS, self.root)
        return Plan(LAYOUT, people.names, people, people.newest_change)
