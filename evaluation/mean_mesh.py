"""The baseline of the evaluation: the mean of the training meshes as the prediction for every image."""

import numpy as np

from datasets.open_dataset import open_single
from utils.errors import UserError
from utils.metrics import centred

MAX_MESHES = 1000  # evenly spaced training samples; more change the mean by less than a millimetre


def mean_training_mesh(options, lsp_rows: np.ndarray) -> np.ndarray:
    """[V, 3] metres: the mean over training samples of the mesh relative to its pelvis."""
    dataset = open_single(options, "train", is_train=False)
    annotated = np.flatnonzero(dataset.rows.has_mesh)
    if not annotated.size:
        raise UserError(f"{dataset.npz_file} has no row with a mesh (pose, shape, has_smpl) to compare with.")
    chosen = annotated[np.unique(np.linspace(0, len(annotated) - 1, MAX_MESHES).astype(int))]
    total = np.zeros((lsp_rows.shape[1], 3))
    for index in chosen:
        vertices = dataset.true_vertices(index)
        total += centred(vertices[None], (lsp_rows @ vertices)[None])[0]
    return total / len(chosen)
