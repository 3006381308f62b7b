"""One picture of test images: input, predicted IUV, predicted mesh from two sides, true mesh if there is one."""

import copy
from dataclasses import dataclass, replace

import numpy as np

from datasets.base_dataset import BaseDataset
from datasets.open_dataset import open_single
from fitting.body_fit import BodyFitter
from models.inference import MeshPredictor, run_in_batches
from utils import config
from utils.body_model import load_body_model, load_joint_regressors
from utils.camera import CameraFitError, fit_weak_perspective
from utils.joints import LSP_JOINTS
from utils.pictures import denormalise, draw_mesh, draw_turned, iuv_colours, tile
from viewer.scenes import FITTED_BODY, PREDICTED_MESH

BOX_MARGIN = 1.2  # the crop's side over the larger side of a box
SHOWN_SIZE = 224  # pixels of a picture, whatever size the network works at
TRUTH = "ground truth"
TITLES = ("input", "predicted IUV", PREDICTED_MESH, FITTED_BODY, "side view", TRUTH)
PREDICTED_COLOUR = (0.55, 0.70, 0.95)
FITTED_COLOUR = (0.95, 0.75, 0.45)
TRUE_COLOUR = (0.62, 0.85, 0.62)


def spread(length: int, count: int) -> np.ndarray:
    """At most `count` indices [n] of a list of `length`, evenly spaced."""
    return np.unique(np.linspace(0, length - 1, count).astype(int))


@dataclass(frozen=True)
class Case:
    """One test image: its crop [S, S, 3] uint8 RGB, and meshes [V, 3] with cameras (s, tx, ty), predicted and true.

    The true ones are None where the image has no mesh; the true camera also where its keypoints determine none. fitted:
    the body model fitted to the predicted mesh [V, 3], or None.
    """

    crop: np.ndarray
    iuv: np.ndarray
    vertices: np.ndarray
    camera: np.ndarray
    true_vertices: np.ndarray | None
    true_camera: np.ndarray | None
    fitted: np.ndarray | None = None


def predict_cases(
    options, predictor: MeshPredictor, indices: np.ndarray, fitter: BodyFitter | None = None
) -> list[Case]:
    """Predictions and truth for the test images `indices` [n], with the fitted body if there is a fitter."""
    dataset = open_single(options, "test")
    large = copy.copy(options)
    large.img_res = SHOWN_SIZE
    shown = open_single(large, "test")
    images = np.stack([dataset.item(int(index), columns=("img",))["img"] for index in indices])
    # batches have the size of the evaluation's, for which the predictor is compiled
    predictions = run_in_batches(predictor, min(options.batch_size, len(dataset)), images)
    cases = [
        _case(shown, int(index), *prediction)
        for index, prediction in zip(indices, zip(*predictions, strict=True), strict=True)
    ]
    if fitter is None:
        return cases
    fit, errors = fitter.each(np.stack([case.vertices for case in cases]))
    fitted = enumerate(zip(cases, fitter.vertices(fit), strict=True))
    return [case if index in errors else replace(case, fitted=vertices) for index, (case, vertices) in fitted]


def _case(shown: BaseDataset, index: int, dp_out: np.ndarray, vertices: np.ndarray, camera: np.ndarray) -> Case:
    item = shown.item(index, columns=("img", "keypoints", "keypoints_smpl"))
    true = shown.true_vertices(index) if shown.rows.has_mesh[index] else None
    true_camera = None if true is None else _fit_camera(item, true)
    return Case(denormalise(item["img"]), dp_out, vertices, camera, true, true_camera)


def _fit_camera(item: dict, true: np.ndarray) -> np.ndarray | None:
    """The camera (s, tx, ty) under which the mesh [V, 3] has the keypoints of an item; None if they determine none.

    Where no keypoint is known, as in 3DPW, the mesh fills the box that the crop was made of.
    """
    regressors = load_joint_regressors()
    keypoints, joints = item["keypoints"][: len(LSP_JOINTS)], regressors.lsp(true)
    if not keypoints.any():  # SURREAL has SMPL joints instead
        keypoints, joints = item["keypoints_smpl"], regressors.smpl(true)
    if not keypoints.any():
        low, high = true[:, :2].min(axis=0), true[:, :2].max(axis=0)
        return np.array([2 / (BOX_MARGIN * (high - low).max()), *(-(low + high) / 2)])
    try:
        return fit_weak_perspective(joints, keypoints[:, :2], keypoints[:, 2])
    except CameraFitError:
        return None


def draw_contact_sheet(
    options, predictor: MeshPredictor, indices: np.ndarray, fitter: BodyFitter | None = None
) -> np.ndarray:
    """RGB [H, W, 3] uint8 with a row for each of the test images `indices` [n]."""
    faces = load_body_model(config.SMPL_FILE).faces
    cases = predict_cases(options, predictor, indices, fitter)
    titles = titles_of(cases)
    return tile([draw_case(case, faces, titles) for case in cases], titles)


def titles_of(cases: list[Case]) -> tuple[str, ...]:
    """The titles of the pictures of cases: those of TITLES that some case has."""
    left_out = set()
    if not any(case.true_camera is not None for case in cases):
        left_out.add(TRUTH)
    if not any(case.fitted is not None for case in cases):
        left_out.add(FITTED_BODY)
    return tuple(title for title in TITLES if title not in left_out)


def draw_case(case: Case, faces: np.ndarray, titles: tuple[str, ...]) -> list[np.ndarray]:
    """The pictures of `titles`, which titles_of gives, RGB [S, S, 3] uint8; faces [F, 3].

    Where a case lacks the mesh of a title, the picture is the crop alone.
    """
    side_camera = case.camera if case.true_camera is None else case.true_camera
    draw = {
        "input": lambda: case.crop,
        "predicted IUV": lambda: iuv_colours(case.iuv, SHOWN_SIZE),
        PREDICTED_MESH: lambda: _overlay(case.crop, case.vertices, faces, case.camera, PREDICTED_COLOUR),
        FITTED_BODY: lambda: _overlay(case.crop, case.fitted, faces, case.camera, FITTED_COLOUR),
        "side view": lambda: draw_turned(case.vertices, faces, float(side_camera[0]), SHOWN_SIZE, PREDICTED_COLOUR),
        TRUTH: lambda: _overlay(case.crop, case.true_vertices, faces, case.true_camera, TRUE_COLOUR),
    }
    return [draw[title]() for title in titles]


def _overlay(crop: np.ndarray, vertices, faces: np.ndarray, camera, colour: tuple) -> np.ndarray:
    """The mesh over the crop; the crop alone if mesh or camera is None."""
    return crop if vertices is None or camera is None else draw_mesh(crop, vertices, faces, camera, colour)
