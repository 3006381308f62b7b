"""The results of an evaluation as printed lines, JSON and CSV."""

import csv
import datetime
import io
import json
from pathlib import Path

import numpy as np

from atlas.part_weights import PART_WEIGHTS
from evaluation.errors import FITTED
from evaluation.measure import Evaluation
from evaluation.protocols import Protocol
from evaluation.quoted import quoted_figure
from utils.files import write_text

# column, title, unit, decimals
SUMMARY = (
    ("shape_error", "Shape Error", " mm", 2),
    ("shape_error_l1", "Shape Error as |dx| + |dy| + |dz|", " mm", 2),
    ("mpjpe", "MPJPE", " mm", 2),
    ("pa_mpjpe", "PA-MPJPE", " mm", 2),
    ("pve", "PVE", " mm", 2),
    ("pck", "PCK", " %", 2),
    ("auc", "AUC", " %", 2),
    ("silhouette_error", "Silhouette error", " %", 2),
    ("reprojection_error", "Reprojection error", " px", 2),
    ("mask_iou", "IUV mask IoU", "", 4),
    ("mask_iou_coarse", "IUV mask IoU, coarse", "", 4),
    ("uv_error", "Mean UV error", "", 4),
)
NOTES = {
    "shape_error_l1": "the quantity of the 2022 MindSpore port's 202.17, for comparison only",
    "pve": "mean over vertices of the distance to the true mesh",
    "pck": "14 joints, below 150 mm",
    "auc": "mean PCK at 0, 5, ..., 150 mm; 96.77 if perfect",
    "silhouette_error": "share of the image's pixels that are wrong",
    "reprojection_error": "of a 224 px crop",
    "mask_iou": "in pixels of the crop",
    "mask_iou_coarse": "in pixels of the IUV image, a fourth as many each way",
    "uv_error": "in sides of the atlas",
}


def vectors(protocol: Protocol) -> dict[str, tuple[str, ...]]:
    """Columns [N, K] and the names of the K, as reports spell them."""
    return {
        "joint_errors": tuple(name.replace("_", " ") for name in protocol.joints.names),
        "part_errors": tuple(PART_WEIGHTS),
    }


def mean(values: np.ndarray):
    """Mean over the images that have a value, [N, ...] -> [...]; NaN if none has one."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)


def scalars(results: dict) -> list[str]:
    """Names of the columns with one number per image."""
    return [name for name, values in results.items() if values.ndim == 1 and values.dtype.kind == "f"]


def print_summary(evaluation: Evaluation) -> None:
    """Print the means over all images, by joint and body part, those of silhouettes and parts, and the speed."""
    results, protocol = evaluation.results, evaluation.protocol
    print("*** Final Results ***")
    print(f"{evaluation.checkpoint}, {evaluation.dataset}, {len(evaluation)} images")
    print(f"protocol: {protocol.name}")
    if evaluation.without_truth:
        print(f"left out, because their truth is missing: {evaluation.without_truth} images")
    for name, title, unit, decimals in SUMMARY:
        if name in results:
            print(f"{title}: {_value(results, name, unit, decimals)}{_remarks(evaluation, name, unit, decimals)}")
    for name, title in (("joint_errors", "joint"), ("part_errors", "body part")):
        for line in two_columns(title, _named_means(evaluation, name)):
            print(line)
    for name, value in evaluation.lsp.items():
        print(f"{name}: {value:.4f}")
    speed = evaluation.speed.describe(len(evaluation))
    print(
        f"{speed['images_per_second']:.2f} images per second; the network waited {100 * speed['data_wait']:.1f} % of "
        f"the time for images, {100 * speed['measuring_wait']:.1f} % for errors of earlier ones"
    )


def _value(results: dict, name: str, unit: str, decimals: int) -> str:
    found = mean(results[name])
    return "not known" if np.isnan(found) else f"{found:.{decimals}f}{unit}"


def _remarks(evaluation: Evaluation, name: str, unit: str, decimals: int) -> str:
    remarks = [NOTES[name]] if name in NOTES else []
    if f"mean_mesh_{name}" in evaluation.results:
        baseline = mean(evaluation.results[f"mean_mesh_{name}"])
        remarks.insert(0, f"mean training mesh: {baseline:.{decimals}f}{unit}")
    if f"{FITTED}{name}" in evaluation.results:
        remarks.insert(0, f"fitted body: {mean(evaluation.results[f'{FITTED}{name}']):.{decimals}f}{unit}")
    quoted = quoted_figure(evaluation.protocol, evaluation.dataset, name)
    if quoted is not None:
        remarks.append(f"the paper's, quoted: {quoted:.1f}{unit}")
    return f"   ({'; '.join(remarks)})" if remarks else ""


def two_columns(title: str, values: dict) -> list[str]:
    """Lines of a table of names and errors in mm, with two pairs in each line."""
    cells = [f"{name:18s}{value:8.2f} mm" for name, value in values.items()]
    half = -(-len(cells) // 2)
    rows = zip(cells[:half], [*cells[half:], ""][:half], strict=True)
    return [f"by {title}:", *(f"  {left}    {right}".rstrip() for left, right in rows)] if cells else []


def _named_means(evaluation: Evaluation, column: str) -> dict[str, float]:
    """Mean errors by joint or body part; nothing if the protocol has none."""
    if column not in evaluation.results:
        return {}
    names = vectors(evaluation.protocol)[column]
    return dict(zip(names, mean(evaluation.results[column]).tolist(), strict=False))


def write_json(target: Path, evaluation: Evaluation, options) -> None:
    """Write the means and the numbers of every image; unknown numbers are null."""
    results = evaluation.results
    names = scalars(results)
    content = {
        "checkpoint": str(evaluation.checkpoint),
        "dataset": evaluation.dataset,
        "protocol": evaluation.protocol.name,
        "data_dir": str(options.data_dir) if options.data_dir else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "unit": "mm",
        "without_truth": evaluation.without_truth,
        "speed": evaluation.speed.describe(len(evaluation)),
        "mean": {name: number(mean(results[name])) for name in names},
        "joints": {name: number(value) for name, value in _named_means(evaluation, "joint_errors").items()},
        "parts": {name: number(value) for name, value in _named_means(evaluation, "part_errors").items()},
        "lsp": evaluation.lsp,
        "images": [
            {"imgname": str(image)} | {name: number(results[name][index], 4) for name in names}
            for index, image in enumerate(results["imgname"])
        ],
    }
    write_text(target, json.dumps(content, indent=1, allow_nan=False) + "\n")


def number(value, decimals: int | None = None) -> float | None:
    """A number for JSON and CSV; None for NaN."""
    value = float(value)
    return None if np.isnan(value) else value if decimals is None else round(value, decimals)


def write_csv(target: Path, evaluation: Evaluation) -> None:
    """Write one line per image with all its numbers, also of joints and body parts; unknown ones are empty."""
    results = evaluation.results
    columns = {name: results[name] for name in scalars(results)}
    for vector, names in vectors(evaluation.protocol).items():
        if vector in results:
            columns |= dict(zip((f"{vector}: {name}" for name in names), results[vector].T, strict=False))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["imgname", *columns])
    for index, image in enumerate(results["imgname"]):
        writer.writerow([image, *(number(values[index], 4) for values in columns.values())])
    write_text(target, stream.getvalue())
