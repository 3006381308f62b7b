"""One picture of test images: input, predicted IUV, predicted mesh from two sides, true mesh."""

import copy

import numpy as np

from datasets.base_dataset import BaseDataset
from evaluation.in_batches import run_in_batches
from models.predictor import MeshPredictor
from utils import config
from utils.body_model import LSP_COUNT, load_body_model, load_joint_regressors, pose_vertices
from utils.camera import fit_weak_perspective
from utils.pictures import denormalise, draw_mesh, draw_turned, iuv_colours, tile

SHOWN_SIZE = 224  # pixels of a picture, whatever size the network works at
TITLES = ("input", "predicted IUV", "predicted mesh", "side view", "ground truth")
PREDICTED_COLOUR = (0.55, 0.70, 0.95)
TRUE_COLOUR = (0.62, 0.85, 0.62)


def draw_contact_sheet(options, predictor: MeshPredictor) -> np.ndarray:
    """RGB uint8 with options.num_vis rows, test images spread evenly over the list."""
    dataset = BaseDataset(options, options.dataset, "test")
    large = copy.copy(options)
    large.img_res = SHOWN_SIZE
    shown = BaseDataset(large, options.dataset, "test")
    indices = np.unique(np.linspace(0, len(dataset) - 1, options.num_vis).astype(int))
    images = np.stack([dataset.item(int(index), columns=("img",))["img"] for index in indices])
    # in the batches of the evaluation, for which the predictor is compiled
    predictions = run_in_batches(predictor, min(options.batch_size, len(dataset)), images)
    rows = [
        _row(shown.item(int(index), columns=("img", "keypoints", "pose", "betas")), *prediction)
        for index, prediction in zip(indices, zip(*predictions, strict=True), strict=True)
    ]
    return tile(rows, TITLES)


def _row(item: dict, dp_out: np.ndarray, vertices: np.ndarray, camera: np.ndarray) -> list:
    model = load_body_model(config.SMPL_FILE)
    crop = denormalise(item["img"])
    true = pose_vertices(model, item["pose"], item["betas"])
    keypoints = item["keypoints"][:LSP_COUNT]
    true_camera = fit_weak_perspective(load_joint_regressors(model=model).lsp(true), keypoints[:, :2], keypoints[:, 2])
    return [
        crop,
        iuv_colours(dp_out, SHOWN_SIZE),
        draw_mesh(crop, vertices, model.faces, camera, PREDICTED_COLOUR),
        draw_turned(vertices, model.faces, float(true_camera[0]), SHOWN_SIZE, PREDICTED_COLOUR),
        draw_mesh(crop, true, model.faces, true_camera, TRUE_COLOUR),
    ]
