"""The constant predictor: the mean of the training meshes, the yardstick for what was learned."""

import numpy as np

from datasets.base_dataset import BaseDataset
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.metrics import centred

MAX_MESHES = 1000  # evenly spaced training samples; more change the mean by less than a millimetre


def mean_training_mesh(options, lsp_rows: np.ndarray) -> np.ndarray:
    """[V, 3] metres: the mean over training samples of the mesh relative to its pelvis."""
    table = BaseDataset(options, options.dataset, "train", is_train=False).table
    chosen = np.unique(np.linspace(0, len(table["pose"]) - 1, MAX_MESHES).astype(int))
    model = load_body_model(config.SMPL_FILE)
    total = np.zeros_like(model.v_template)
    for index in chosen:
        vertices = pose_vertices(model, table["pose"][index], table["shape"][index])
        total += centred(vertices[None], (lsp_rows @ vertices)[None])[0]
    return total / len(chosen)
