"""One picture of test images: input, predicted IUV, predicted mesh from two sides, true mesh."""

import copy
from dataclasses import dataclass

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


def spread(length: int, count: int) -> np.ndarray:
    """At most `count` of `length` indices, evenly over the list."""
    return np.unique(np.linspace(0, length - 1, count).astype(int))


@dataclass(frozen=True)
class Case:
    """One test image: its crop [S, S, 3] uint8 RGB, and meshes [V, 3] with cameras (s, tx, ty), predicted and true."""

    crop: np.ndarray
    iuv: np.ndarray
    vertices: np.ndarray
    camera: np.ndarray
    true_vertices: np.ndarray
    true_camera: np.ndarray


def predict_cases(options, predictor: MeshPredictor, indices: np.ndarray) -> list[Case]:
    """What the network says about the test images `indices`, beside the truth."""
    dataset = BaseDataset(options, options.dataset, "test")
    large = copy.copy(options)
    large.img_res = SHOWN_SIZE
    shown = BaseDataset(large, options.dataset, "test")
    images = np.stack([dataset.item(int(index), columns=("img",))["img"] for index in indices])
    # in the batches of the evaluation, for which the predictor is compiled
    predictions = run_in_batches(predictor, min(options.batch_size, len(dataset)), images)
    columns = ("img", "keypoints", "pose", "betas")
    return [
        _case(shown.item(int(index), columns=columns), *prediction)
        for index, prediction in zip(indices, zip(*predictions, strict=True), strict=True)
    ]


def _case(item: dict, dp_out: np.ndarray, vertices: np.ndarray, camera: np.ndarray) -> Case:
    model = load_body_model(config.SMPL_FILE)
    true = pose_vertices(model, item["pose"], item["betas"])
    keypoints = item["keypoints"][:LSP_COUNT]
    true_camera = fit_weak_perspective(load_joint_regressors(model=model).lsp(true), keypoints[:, :2], keypoints[:, 2])
    return Case(denormalise(item["img"]), dp_out, vertices, camera, true, true_camera)


def draw_contact_sheet(options, predictor: MeshPredictor, indices: np.ndarray) -> np.ndarray:
    """RGB uint8 with a row for each of the test images `indices`."""
    faces = load_body_model(config.SMPL_FILE).faces
    return tile([draw_case(case, faces) for case in predict_cases(options, predictor, indices)], TITLES)


def draw_case(case: Case, faces: np.ndarray) -> list[np.ndarray]:
    """The pictures of TITLES, RGB uint8, all of one size."""
    return [
        case.crop,
        iuv_colours(case.iuv, SHOWN_SIZE),
        draw_mesh(case.crop, case.vertices, faces, case.camera, PREDICTED_COLOUR),
        draw_turned(case.vertices, faces, float(case.true_camera[0]), SHOWN_SIZE, PREDICTED_COLOUR),
        draw_mesh(case.crop, case.true_vertices, faces, case.true_camera, TRUE_COLOUR),
    ]
