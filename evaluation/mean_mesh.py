"""The baseline of the evaluation: the mean of the training meshes as the prediction for every image."""

import numpy as np

from datasets.base_dataset import BaseDataset
from datasets.open_dataset import open_single
from datasets.registry import dataset_files, find_dataset
from utils.errors import warn

LEFT_OUT = "no mean training mesh as a baseline"
MAX_MESHES = 1000  # evenly spaced training samples; more change the mean by less than a millimetre


def mean_training_mesh(options, root_row: np.ndarray) -> np.ndarray | None:
    """[V, 3] metres: the mean over training samples of the mesh relative to its root, which root_row [1, V] makes.

    None, with a warning, if the data set has no training meshes here.
    """
    dataset = _open_training(options)
    if dataset is None:
        return None
    annotated = np.flatnonzero(dataset.rows.has_mesh)
    if not annotated.size:
        warn(f"{LEFT_OUT}: {dataset.npz_file} has no row with a mesh (pose, shape, has_smpl).")
        return None
    chosen = annotated[np.unique(np.linspace(0, len(annotated) - 1, MAX_MESHES).astype(int))]
    total = np.zeros((root_row.shape[1], 3))
    for index in chosen:
        vertices = dataset.true_vertices(index)
        total += vertices - root_row @ vertices
    return total / len(chosen)


def _open_training(options) -> BaseDataset | None:
    """The training split; None, with a warning, if there is none."""
    if "train" not in find_dataset(options.dataset).npz:
        warn(f"{LEFT_OUT}: {options.dataset} has no training split.")
        return None
    npz_file = dataset_files(options.dataset, "train").npz_file
    if not npz_file.is_file():
        warn(f"{LEFT_OUT}: {npz_file} does not exist.")
        return None
    return open_single(options, "train", is_train=False)
