"""Silhouette and body part metrics of LSP: accuracy and F1 over all pixels of all images.

GraphCMR and SPIN report them for two classes (foreground, background) and for seven (background, six parts). The mesh
is drawn with its own camera over the whole image. Part images hold 0 for background, 1 to 6 for the parts in the order
of atlas.part_groups.PART_GROUPS, and 255 for pixels that are not counted.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from atlas.part_groups import PART_GROUPS, part_labels
from atlas.part_weights import load_parts
from datasets.registry import find_dataset
from utils import config
from utils.camera import BOX_UNIT, OrthographicCamera, weak_in_window
from utils.errors import UserError
from utils.media.image_files import read_image
from utils.renderer import Hits, cast_mesh

NOT_COUNTED = 255
FIGURE_PREFIX = "LSP "  # begins the name of every figure of `summarise`
KINDS = {"mask": 2, "part": 1 + len(PART_GROUPS)}  # annotation -> number of classes
ADVICE = "It is the annotation of a test image: put it there, or take its name out of the npz."
COLUMNS = ("center", "scale", "orig_shape", "maskname", "partname")  # of a batch


def confusion(predicted: np.ndarray, true: np.ndarray, classes: int) -> np.ndarray:
    """[classes, 4] int64 per class: true positives, false positives, false negatives, true negatives, in pixels."""
    table = np.bincount(classes * true.ravel().astype(int) + predicted.ravel(), minlength=classes * classes)
    table = table.reshape(classes, classes)
    right = table.diagonal()
    columns = (right, table.sum(0) - right, table.sum(1) - right, table.sum() - table.sum(0) - table.sum(1) + right)
    return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class MaskMeter:
    """Confusion of silhouettes and parts for meshes with the triangles `faces`.

    folders: where annotations lie; the first that has a file counts.
    """

    folders: tuple[Path, ...]
    faces: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """[F]: the part of every triangle, 0 for none."""
        return part_labels(self.faces, int(self.faces.max()) + 1, load_parts())

    def __call__(self, batch: dict, vertices: np.ndarray, cameras: np.ndarray) -> dict[str, np.ndarray]:
        """mask_confusion [N, 2, 4] and part_confusion [N, 7, 4] of a batch; zeros for images without annotation.

        silhouette_error [N] is the share of the image's pixels in percent whose silhouette is wrong, or NaN. batch:
        COLUMNS of the images.
        """
        counts = {kind: np.zeros((len(vertices), classes, 4), np.int64) for kind, classes in KINDS.items()}
        for index in range(len(vertices)):
            names = {kind: str(batch[f"{kind}name"][index]) for kind in KINDS if batch[f"{kind}name"][index]}
            if not names:
                continue
            height, width = map(int, batch["orig_shape"][index])
            true = {kind: self._read(name, (height, width)) for kind, name in names.items()}
            side = float(batch["scale"][index]) * BOX_UNIT
            view = weak_in_window(cameras[index], side, (width / 2, height / 2) - batch["center"][index], width)
            hits = cast_mesh(
                vertices[index], self.faces, OrthographicCamera(view[0], (view[1], view[2])), height, width
            )
            for kind, picture in true.items():
                counts[kind][index] = self._compare(kind, hits, picture)
        silhouette_error = _wrong_share(counts["mask"])
        return {f"{kind}_confusion": each for kind, each in counts.items()} | {"silhouette_error": silhouette_error}

    def _read(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """The annotation [H, W] uint8 of an image of this shape."""
        paths = [folder / name for folder in self.folders]
        path = next((path for path in paths if path.is_file()), paths[0])
        true = read_image(path, ADVICE)[..., 0]
        if true.shape != shape:
            size, expected = (f"{width} x {height}" for height, width in (true.shape, shape))
            raise UserError(f"{path} has {size} pixels, but its image has {expected}. Both must be of one size.")
        return true

    def _compare(self, kind: str, hits: Hits, true: np.ndarray) -> np.ndarray:
        classes = KINDS[kind]
        if kind == "mask":
            return confusion(hits.mask.astype(int), true > 0, classes)
        counted = (true < classes) & (true != NOT_COUNTED)
        return confusion(hits.face_values(self.labels)[counted], true[counted], classes)


def _wrong_share(counts: np.ndarray) -> np.ndarray:
    """mask_confusion [N, 2, 4] -> [N]: wrong pixels in percent of all; NaN where nothing was counted."""
    total = counts[:, 1].sum(-1)
    return np.where(total > 0, 100 * counts[:, 1, 1:3].sum(-1) / np.maximum(total, 1), np.nan)


def annotation_folders(dataset: str, root: Path) -> tuple[Path, ...]:
    """Where the annotations of a data set lie, whose images lie below `root`."""
    masks = find_dataset(dataset).masks
    return (getattr(config, masks), root) if masks else (root,)


def has_annotations(table: dict) -> bool:
    """True if the rows of a data set name silhouettes or parts."""
    return any(f"{kind}name" in table for kind in KINDS)


def summarise(results: dict) -> dict[str, float]:
    """Accuracy and F1 by name, from the confusion columns of all images."""
    summary = {}
    titles = {"mask": ["foreground"], "part": list(PART_GROUPS)}  # of the classes from 1 on
    for kind in KINDS:
        counts = results.get(f"{kind}_confusion", np.zeros((0, 1, 4))).sum(axis=0)
        if not counts.any():
            continue
        true_positive, false_positive, false_negative, _ = counts.T.astype(np.float64)
        f1 = 2 * true_positive / np.maximum(2 * true_positive + false_positive + false_negative, 1)
        summary[f"{FIGURE_PREFIX}{kind} accuracy"] = float(true_positive.sum() / counts[0].sum())
        summary[f"{FIGURE_PREFIX}{kind} F1, mean of {KINDS[kind]} classes"] = float(f1.mean())
        for label, name in enumerate(titles[kind], start=1):
            summary[f"{FIGURE_PREFIX}{kind} F1, {name}"] = float(f1[label])
    return summary
