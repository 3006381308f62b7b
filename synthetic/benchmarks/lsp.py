"""A synthetic LSP: test photographs with silhouettes and parts, LSP original for training, and HR-LSPET.

All three name the joints of their photographs in one joints.mat: x, y and whether the joint is visible. Silhouettes and
parts of the test photographs are those of UPi-S1h (Lassner et al., "Unite the People", CVPR 2017).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy.io

from atlas.part_groups import part_labels
from atlas.part_weights import load_parts
from synthetic.benchmarks.people import Album, Person, Tables, write_album
from synthetic.benchmarks.spin_fits import write_fits
from synthetic.photographs.photos import Photo, Stage
from synthetic.stages import Collection
from utils import config
from utils.files import atomic_path, write_png
from utils.joints import LSP_JOINTS, TRAINING_JOINTS, indices

JOINTS_FILE = "joints.mat"
NUM_TRAINING = 1000  # the first pictures of LSP; those for testing follow
MASK, PARTS = "data/lsp/im{:04d}_segmentation.png", "data/lsp/im{:04d}_part_segmentation.png"
FOREGROUND = 255


def write_test(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` test photographs of LSP with silhouettes and parts; joints.mat counts the training photographs."""
    others = config.UPI_S1H_ROOT
    more = _SilhouetteWriter(others, load_parts())
    album = Album("lsp", folder, "images/im{:04d}.jpg", NUM_TRAINING + 1, more, others)
    tables: Tables = {folder / JOINTS_FILE: partial(write_joints, order=(2, 1, 0), before=NUM_TRAINING)}
    write_album(album, tables, count, collection, workers)


def write_original(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` training photographs of LSP original, and SPIN's fits."""
    album = Album("lsp_orig", folder, "images/im{:04d}.jpg")
    tables: Tables = {
        folder / JOINTS_FILE: partial(write_joints, order=(2, 1, 0)),
        config.SPIN_FITS / "lsp.npz": write_fits,
    }
    write_album(album, tables, count, collection, workers)


def write_extended(folder: Path, count: int, collection: Collection, workers: int) -> None:
    """Write `count` training photographs of HR-LSPET, and SPIN's fits."""
    album = Album("lspet", folder, "im{:05d}.png")
    tables: Tables = {
        folder / JOINTS_FILE: partial(write_joints, order=(1, 2, 0)),
        config.SPIN_FITS / "lspet.npz": write_fits,
    }
    write_album(album, tables, count, collection, workers)


def write_joints(path: Path, people: list[Person], order: tuple[int, int, int], before: int = 0) -> None:
    """Write joints.mat: `joints` [N, 14, 3] with its axes in `order`; joints of `before` other pictures are zeros."""
    chosen = indices(LSP_JOINTS, TRAINING_JOINTS)
    joints = np.concatenate([np.zeros((before, len(chosen), 3)), [person.keypoints[chosen] for person in people]])
    with atomic_path(path) as temporary:
        scipy.io.savemat(temporary, {"joints": joints.transpose(order)}, do_compression=True)


@dataclass(frozen=True)
class _SilhouetteWriter:
    """Write the silhouette and the parts of a photograph below `root`; parts: the body's segmentation."""

    root: Path
    parts: dict

    def __call__(self, number: int, photo: Photo, stage: Stage) -> None:
        triangles = photo.seen_triangles()
        seen, labels = triangles >= 0, np.zeros(triangles.shape, np.uint8)
        labels[seen] = part_labels(stage.model.faces, len(stage.model.v_template), self.parts)[triangles[seen]]
        write_png(self.root / MASK.format(number), seen.astype(np.uint8) * FOREGROUND)
        write_png(self.root / PARTS.format(number), labels)
