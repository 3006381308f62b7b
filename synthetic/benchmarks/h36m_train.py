"""A synthetic training set of Human3.6M: photographs, and the table with meshes that its users bring.

MoSh's poses of Human3.6M are not public, so there are no original files to imitate: h36m_train_new.npz is a table as
the PyTorch release reads it.
"""

from functools import partial
from pathlib import Path

import numpy as np

from synthetic.benchmarks.people import Album, Person, Tables, write_album
from synthetic.stages import Collection
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import BOX_UNIT
from utils.files import write_npz
from utils.joints import HIPS, TRAINING_JOINTS, indices

PICTURE = "train/S1_Directions.54138969_{:06d}.jpg"
TABLE = "h36m_train_new.npz"
BOX_MARGIN = 1.2  # the crop's side over the larger side of the box of the body


def write(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` photographs below `folder`, and their table."""
    place, picture = folder / Path(PICTURE).parent, Path(PICTURE).name
    album = Album("h36m_train", place, picture)
    tables: Tables = {config.DATASET_NPZ_PATH / TABLE: partial(_write_table, album)}
    write_album(album, tables, count, collection, workers)


def _write_table(album: Album, path: Path, people: list[Person]) -> None:
    model = load_body_model(config.SMPL_FILE)
    rows = load_joint_regressors(model=model).train_rows
    joints = np.array([rows @ pose_vertices(model, person.pose, person.betas) for person in people])
    joints -= joints[:, indices(HIPS, TRAINING_JOINTS)].mean(axis=1, keepdims=True)
    boxes = np.array([person.box for person in people], float)
    write_npz(
        path,
        imgname=np.array([f"train/{album.picture_name(index)}" for index in range(len(people))]),
        center=boxes.mean(axis=1),
        scale=BOX_MARGIN * np.ptp(boxes, axis=1).max(axis=1) / BOX_UNIT,
        part=np.array([person.keypoints for person in people]),
        S=np.concatenate([joints, np.ones((*joints.shape[:2], 1))], axis=2),
        pose=np.array([person.pose for person in people]),
        shape=np.array([person.betas for person in people]),
    )
