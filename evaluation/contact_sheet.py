"""One picture of test images: input, predicted IUV, predicted mesh from two sides, true mesh."""

import copy

import numpy as np

from datasets.base_dataset import BaseDataset
from datasets.open_dataset import open_dataset
from evaluation.in_batches import run_in_batches
from models.predictor import MeshPredictor
from utils import config
from utils.body_model import LSP_COUNT, load_body_model, load_joint_regressors
from utils.camera import fit_weak_perspective
from utils.pictures import denormalise, draw_mesh, draw_side, iuv_colours, tile

SHOWN_SIZE = 224  # pixels of a picture, whatever size the network works at
TITLES = ("input", "predicted IUV", "predicted mesh", "side view", "ground truth")
PREDICTED_COLOUR = (0.55, 0.70, 0.95)
TRUE_COLOUR = (0.62, 0.85, 0.62)


def draw_contact_sheet(options, predictor: MeshPredictor) -> np.ndarray:
    """RGB uint8 with options.num_vis rows, test images spread evenly over the list."""
    dataset = open_dataset(options, "test")
    large = copy.copy(options)
    large.img_res = SHOWN_SIZE
    shown = open_dataset(large, "test")
    indices = np.unique(np.linspace(0, len(dataset) - 1, options.num_vis).astype(int))
    images = np.stack([dataset.item(int(index), columns=("img",))["img"] for index in indices])
    # in the batches of the evaluation, for which the predictor is compiled
    predictions = run_in_batches(predictor, min(options.batch_size, len(dataset)), images)
    rows = [
        _row(shown, int(index), *prediction)
        for index, prediction in zip(indices, zip(*predictions, strict=True), strict=True)
    ]
    return tile(rows, TITLES)


def _row(shown: BaseDataset, index: int, dp_out: np.ndarray, vertices: np.ndarray, camera: np.ndarray) -> list:
    model = load_body_model(config.SMPL_FILE)
    item = shown.item(index, columns=("img", "keypoints", "keypoints_smpl"))
    crop = denormalise(item["img"])
    true, regressors = shown.true_vertices(index), load_joint_regressors(model=model)
    keypoints, joints = item["keypoints"][:LSP_COUNT], regressors.lsp(true)
    if not keypoints.any():  # SURREAL has the SMPL joints instead
        keypoints, joints = item["keypoints_smpl"], regressors.smpl(true)
    true_camera = fit_weak_perspective(joints, keypoints[:, :2], keypoints[:, 2])
    return [
        crop,
        iuv_colours(dp_out, SHOWN_SIZE),
        draw_mesh(crop, vertices, model.faces, camera, PREDICTED_COLOUR),
        draw_side(vertices, model.faces, float(true_camera[0]), SHOWN_SIZE, PREDICTED_COLOUR),
        draw_mesh(crop, true, model.faces, true_camera, TRUE_COLOUR),
    ]
