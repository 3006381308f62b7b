"""What eval.py measures beside the mesh errors, how it writes them, and that nothing is chosen."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from atlas.part_weights import PART_WEIGHTS, load_parts
from datasets.loader import rank_indices
from evaluation import lsp_masks, quoted, shards, summary, table
from evaluation.errors import ErrorMeter
from evaluation.measure import Evaluation, Speed
from evaluation.protocols import PROTOCOLS
from tests.reference.rasteriser import z_buffer
from utils import config
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.camera import OrthographicCamera, normalise_pixels, project_weak
from utils.files import write_npz
from utils.metrics import iuv_errors, pose_errors, reprojection_error

STANDING = np.r_[np.pi, np.zeros(71)]


# ---- single measures ----


def test_the_l1_figure_is_the_sum_of_coordinate_differences():
    rng = np.random.default_rng(0)
    vertices, joints = rng.normal(size=(2, 30, 3)), rng.normal(size=(2, 14, 3))
    moved = vertices + (0.003, -0.004, 0.012)
    errors = pose_errors(moved, joints, vertices, joints)
    assert errors["shape_error"] == pytest.approx([13.0, 13.0])
    assert errors["shape_error_l1"] == pytest.approx([19.0, 19.0])


def square_iuv(left: int, size: int = 32) -> np.ndarray:
    """A square of 16 pixels a side; u and v rise across the picture."""
    iuv = np.zeros((3, size, size), np.float32)
    inside = (slice(8, 24), slice(left, left + 16))
    iuv[0][inside] = 1
    iuv[1][inside] = (np.arange(size) / size)[None, left : left + 16]
    iuv[2][inside] = 0.5
    return iuv


def test_iuv_errors_are_overlap_and_distance_on_the_atlas():
    true, shifted = square_iuv(8), square_iuv(12)
    worse = shifted.copy()
    worse[1:] += np.array([0.03, 0.04], np.float32)[:, None, None]
    found = iuv_errors(np.stack([true, shifted, worse, true]), np.stack([true] * 4), np.array([1, 1, 1, 0]))
    assert found["mask_iou"][:3] == pytest.approx([1, 12 / 20, 12 / 20])
    assert found["uv_error"][:3] == pytest.approx([0, 0, 0.05], abs=1e-6)
    assert np.isnan([found["mask_iou"][3], found["uv_error"][3]]).all()


def test_a_coarse_iuv_image_is_compared_at_the_size_of_the_truth():
    true = square_iuv(8)
    found = iuv_errors(true[None, :, ::4, ::4], true[None], np.ones(1))
    assert found["mask_iou"] == pytest.approx([252 / 256])  # bilinear: the square loses its corners
    # nearest pixels: u is off by 0 to 3 pixels of 32
    assert found["uv_error"] == pytest.approx([1.5 / 32], rel=0.02)


@pytest.mark.parametrize(("left", "iou"), [(8, 1), (9, 1), (11, 3 / 5), (12, 3 / 5)])
def test_a_coarse_pixel_is_body_where_the_body_covers_more_than_half(left, iou):
    coarse = square_iuv(8)[:, ::4, ::4]  # columns 2 to 5
    found = iuv_errors(coarse[None], square_iuv(left)[None], np.ones(1))
    assert found["mask_iou_coarse"] == pytest.approx([iou])


def test_nothing_found_and_nothing_there():
    empty, true = np.zeros((3, 32, 32), np.float32), square_iuv(8)
    found = iuv_errors(np.stack([empty, empty]), np.stack([true, empty]), np.ones(2))
    for name in ("mask_iou", "mask_iou_coarse"):
        assert found[name][0] == 0
        assert np.isnan(found[name][1])
    assert np.isnan(found["uv_error"]).all()


def test_reprojection_is_in_pixels_of_the_paper_s_crop_and_counts_visible_joints():
    joints = np.random.default_rng(0).normal(size=(2, 14, 3))
    camera = np.array([0.5, 0.1, -0.2])
    keypoints = np.concatenate([0.5 * (joints[..., :2] + camera[1:]), np.ones((2, 14, 1))], axis=-1)
    assert reprojection_error(joints, [camera] * 2, keypoints) == pytest.approx([0, 0], abs=1e-9)
    keypoints[0, 0, :2] += (normalise_pixels(3.0, 224) - normalise_pixels(0.0, 224), 0)
    assert reprojection_error(joints, [camera] * 2, keypoints) == pytest.approx([3 / 14, 0])
    keypoints[0, 0, 2] = keypoints[1, :, 2] = 0
    assert reprojection_error(joints, [camera] * 2, keypoints)[0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(reprojection_error(joints, [camera] * 2, keypoints)[1])


def test_errors_by_joint_and_part_lie_where_the_mesh_is_wrong(data_root):
    model = load_body_model(config.SMPL_FILE)
    true = pose_vertices(model, STANDING, np.zeros(10))[None]
    hand = load_parts()["leftHand"]
    wrong = true.copy()
    wrong[:, hand] += (0, 0.03, 0.04)
    batch = {"keypoints": np.zeros((1, 24, 3)), "gt_iuv": np.zeros((1, 3, 8, 8))}
    batch |= {"has_dp": np.zeros(1), "has_smpl": np.ones(1)}
    meter = ErrorMeter(PROTOCOLS["up-3d"], load_joint_regressors(model=model), model.v_template)
    errors = meter(batch, np.zeros((1, 3, 8, 8), np.float32), wrong, np.ones((1, 3)), true)
    by_part = dict(zip(PART_WEIGHTS, errors["part_errors"][0], strict=True))
    assert by_part["leftHand"] == pytest.approx(50, abs=0.01)
    assert by_part["rightHand"] == by_part["head"] == pytest.approx(0, abs=0.01)
    joint_names = summary.vectors(PROTOCOLS["up-3d"])["joint_errors"]
    assert joint_names[errors["joint_errors"][0].argmax()] in ("left wrist", "left elbow")
    assert errors["shape_error"][0] == pytest.approx(50 * len(hand) / true.shape[1], rel=1e-3)
    assert errors["mean_mesh_shape_error"][0] > 100
    batch["has_smpl"][0] = 0
    errors = meter(batch, np.zeros((1, 3, 8, 8), np.float32), wrong, np.ones((1, 3)), true)
    assert all(np.isnan(values).all() for name, values in errors.items() if "shape" in name or "mpjpe" in name)


# ---- silhouettes and parts ----


def test_confusion_counts_every_pixel_once():
    rng = np.random.default_rng(0)
    predicted, true = rng.integers(0, 7, (2, 40, 30))
    found = lsp_masks.confusion(predicted, true, 7)
    for label in range(7):
        is_predicted, is_true = predicted == label, true == label
        expected = [is_predicted & is_true, is_predicted & ~is_true, ~is_predicted & is_true, ~is_predicted & ~is_true]
        assert found[label].tolist() == [part.sum() for part in expected]
    assert (found.sum(axis=1) == predicted.size).all()


def test_parts_of_the_body_lie_where_their_names_say(data_root):
    model = load_body_model(config.SMPL_FILE)
    labels = lsp_masks.part_labels(model.faces, len(model.v_template), load_parts())
    middle = {
        name: model.v_template[model.faces[labels == number]].reshape(-1, 3).mean(axis=0)
        for number, name in enumerate(lsp_masks.PART_GROUPS, start=1)
    }
    assert middle["head"][1] > middle["torso"][1] > middle["left leg"][1]
    for side, sign in (("left", 1), ("right", -1)):  # the person's left is +x
        assert sign * middle[f"{side} arm"][0] > 0.2
        assert 0.02 < sign * middle[f"{side} leg"][0] < 0.3
    assert abs(middle["head"][0]) < 0.02 > abs(middle["torso"][0])


def test_a_triangle_of_no_part_is_background():
    parts = {name: [] for names in lsp_masks.PART_GROUPS.values() for name in names}
    parts |= {"leftFoot": [4, 5], "head": [3]}
    faces = np.array([[0, 1, 2], [2, 4, 5], [1, 2, 3], [3, 4, 5]])
    assert lsp_masks.part_labels(faces, 6, parts).tolist() == [0, 5, 1, 5]


def test_masks_and_parts_of_the_true_mesh_agree_with_annotations_from_a_plain_rasteriser(data_root, tmp_path):
    model = load_body_model(config.SMPL_FILE)
    vertices = pose_vertices(model, STANDING, np.zeros(10))
    labels = lsp_masks.part_labels(model.faces, len(vertices), load_parts())
    height, width = 110, 90
    view = OrthographicCamera(0.9, (0.1, 0.3))
    mask, uv = z_buffer(vertices, model.faces, np.tile(labels[:, None, None] / 10.0, (1, 3, 2)), view, height, width)
    parts = np.rint(10 * uv[..., 0]).astype(np.uint8)
    parts[:5] = lsp_masks.NOT_COUNTED
    cv2.imwrite(str(tmp_path / "mask.png"), mask.astype(np.uint8) * 255)
    cv2.imwrite(str(tmp_path / "part.png"), parts)
    # a crop that lies off the image's centre, with the camera that is the same view
    centre, side = np.array([50.0, 40.0]), 120.0
    corner = np.array([[0.0, 0, 0], [1, 1, 0]])
    pixels = (project_weak(corner, np.array([0.9, 0.1, 0.3])) * width + (width, height)) / 2
    in_crop = normalise_pixels((pixels - centre) / side + 0.5, 1)
    scale = in_crop[1, 0] - in_crop[0, 0]
    camera = np.array([scale, *(in_crop[0] / scale)])
    batch = {
        "maskname": ["mask.png", ""],
        "partname": ["part.png", ""],
        "center": [centre] * 2,
        "scale": [side / 200] * 2,
        "orig_shape": np.array([[height, width]] * 2),
    }
    results = lsp_masks.MaskMeter((tmp_path,), model.faces)(batch, np.stack([vertices] * 2), np.stack([camera] * 2))
    assert not results["part_confusion"][1].any()
    assert results["silhouette_error"][0] < 0.5 and np.isnan(results["silhouette_error"][1])
    assert results["part_confusion"][0, 0].sum() == (height - 5) * width
    found = lsp_masks.summarise(results)
    assert found["LSP mask accuracy"] > 0.995
    assert found["LSP mask F1, foreground"] > 0.99
    assert found["LSP part accuracy"] > 0.99
    assert all(value > 0.95 for name, value in found.items() if "part F1" in name)
    assert lsp_masks.summarise({"imgname": np.array(["x"])}) == {}


# ---- what is written ----


def results_of(count: int = 5) -> dict:
    rng = np.random.default_rng(0)
    results = {name: rng.random(count) for name in PROTOCOLS["up-3d"].measured}
    results |= {
        f"mean_mesh_{name}": rng.random(count) for name in ("shape_error", "mpjpe", "pa_mpjpe", "shape_error_l1")
    }
    results["uv_error"][2] = np.nan
    return results | {
        "joint_errors": rng.random((count, 14)),
        "part_errors": rng.random((count, 24)),
        "imgname": np.array([f"{index}.png" for index in range(count)]),
    }


def evaluation_of(results: dict, name: str = "dmr_1.ckpt", dataset: str = "up-3d") -> Evaluation:
    return Evaluation(Path(name), dataset, PROTOCOLS[dataset], results, speed=Speed(10.0, 0.2, 0.1))


def test_json_and_csv_hold_every_image_and_say_when_a_number_is_unknown(tmp_path):
    results = results_of()
    results["shape_error"][4] = np.nan
    summary.write_json(tmp_path / "a.json", evaluation_of(results), SimpleNamespace(data_dir=None))
    summary.write_csv(tmp_path / "a.csv", evaluation_of(results))
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["images"][2]["uv_error"] is None
    assert content["mean"]["uv_error"] == pytest.approx(np.nanmean(results["uv_error"]))
    assert content["joints"]["head top"] == pytest.approx(results["joint_errors"][:, 13].mean())
    assert content["protocol"].startswith("UP-3D; true mesh; 14 joints of the LSP regressor") and "spin" not in content
    assert content["without_truth"] == 1
    assert content["speed"] == {"images_per_second": 0.5, "data_wait": 0.02, "measuring_wait": 0.01}
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["imgname"] for row in rows] == results["imgname"].tolist()
    assert rows[2]["uv_error"] == ""
    assert float(rows[3]["part_errors: leftHand"]) == pytest.approx(results["part_errors"][3, 20], abs=1e-4)
    assert len(rows[0]) == 1 + 8 + 4 + 14 + 24


def test_the_port_s_figure_stands_beside_the_shape_error_with_its_name(capsys):
    summary.print_summary(evaluation_of(results_of()))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "|dx| + |dy| + |dz|" in line]
    assert "202.17" in line
    assert "comparison only" in line


def test_what_no_image_has_is_said_to_be_unknown(capsys):
    """As the error of (u, v) where a network finds no body."""
    results = results_of()
    results["uv_error"] = np.full_like(results["uv_error"], np.nan)
    summary.print_summary(evaluation_of(results))
    printed = capsys.readouterr().out
    assert "Mean UV error: not known" in printed
    assert "nan" not in printed


def test_the_protocol_the_speed_and_the_images_left_out_are_printed(capsys):
    results = results_of()
    results["shape_error"][:2] = np.nan
    summary.print_summary(evaluation_of(results))
    printed = capsys.readouterr().out
    assert f"protocol: {PROTOCOLS['up-3d'].name}\n" in printed
    assert "left out, because their truth is missing: 2 images" in printed
    assert "0.50 images per second; the network waited 2.0 % of the time for images, 1.0 %" in printed


def test_a_table_keeps_the_order_of_checkpoints_and_picks_none(capsys):
    first, second = results_of(), results_of()
    second["shape_error"] = second["shape_error"] - 1
    table.print_table(table.make_table([evaluation_of(first, "b.ckpt"), evaluation_of(second, "a.ckpt")]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["b.ckpt", "a.ckpt"]
    assert float(lines[1].split()[1]) - float(lines[2].split()[1]) == pytest.approx(1, abs=0.011)
    assert lines[3].split() == [*quoted.ROW.split(), "-", "-", "-"]
    assert "None of them is chosen" in lines[-1]


def test_a_table_of_many_figures_is_turned(capsys, monkeypatch):
    made = table.make_table([evaluation_of(results_of(), "b.ckpt")])
    monkeypatch.setattr(table, "LONGEST_LINE", 50)
    table.print_table(made)
    lines = capsys.readouterr().out.splitlines()
    head, values, paper = made.cells
    assert lines[0].split() == ["checkpoint", "b.ckpt", *quoted.ROW.split()]
    for line, *cells in zip(lines[1:], head[1:], values[1:], paper[1:], strict=False):
        assert line.split() == [word for cell in cells for word in cell.split()]


# ---- several ranks ----


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("length", [7, 12])
def test_the_shards_of_all_ranks_are_the_results_of_one_process(world_size, length, tmp_path):
    batch_size = 2
    names = np.array([f"{'long' * (index % 3)}{index}.png" for index in range(length)])
    whole = {"imgname": names, "shape_error": np.random.default_rng(0).random(length), "joint_errors": np.eye(length)}
    for rank in range(world_size):
        indices = rank_indices(np.arange(length), batch_size, rank, world_size, drop_last=False)
        # numpy cuts text columns to the longest word of a rank
        write_npz(
            shards.shard_path(tmp_path, 7, rank),
            **{name: np.array(column[indices].tolist()) for name, column in whole.items()},
        )
    merged = shards.merge(tmp_path, 7, world_size, length, batch_size)
    assert merged.keys() == whole.keys()
    for name, column in whole.items():
        assert (merged[name] == column).all(), name
