"""The results of an evaluation as printed lines, JSON, CSV and a table of several checkpoints."""

import csv
import datetime
import io
import json
from pathlib import Path

import numpy as np

from atlas.part_weights import PART_WEIGHTS
from evaluation.errors import JOINT_NAMES
from utils.files import write_text

# column, title, unit, decimals
SUMMARY = (
    ("shape_error", "Shape Error", " mm", 2),
    ("shape_error_l1", "Shape Error as |dx| + |dy| + |dz|", " mm", 2),
    ("mpjpe", "MPJPE", " mm", 2),
    ("pa_mpjpe", "PA-MPJPE", " mm", 2),
    ("reprojection_error", "Reprojection error", " px", 2),
    ("mask_iou", "IUV mask IoU", "", 4),
    ("mask_iou_coarse", "IUV mask IoU, coarse", "", 4),
    ("uv_error", "Mean UV error", "", 4),
)
NOTES = {
    "shape_error_l1": "the quantity of the 2022 MindSpore port's 202.17, for comparison only",
    "reprojection_error": "of a 224 px crop",
    "mask_iou": "in pixels of the crop",
    "mask_iou_coarse": "in pixels of the IUV image, a fourth as many each way",
    "uv_error": "in sides of the atlas",
}
VECTORS = {"joint_errors": JOINT_NAMES, "part_errors": tuple(PART_WEIGHTS)}  # columns [N, K] and the names of the K


def mean(values: np.ndarray):
    """Mean over the images that have a value, [N, ...] -> [...]; NaN if none has one."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)


def scalars(results: dict) -> list[str]:
    """Names of the columns with one number per image."""
    return [name for name, values in results.items() if values.ndim == 1 and values.dtype.kind == "f"]


def print_summary(path: Path, dataset: str, results: dict, lsp: dict | None) -> None:
    """Print the means over all images, by joint and body part, and those of silhouettes and parts."""
    print("*** Final Results ***")
    print(f"{path}, {dataset}, {len(results['imgname'])} images")
    for name, title, unit, decimals in SUMMARY:
        remarks = [NOTES[name]] if name in NOTES else []
        if f"mean_mesh_{name}" in results:
            remarks.insert(0, f"mean training mesh: {mean(results[f'mean_mesh_{name}']):.{decimals}f}{unit}")
        found = mean(results[name])
        value = f"{title}: not known" if np.isnan(found) else f"{title}: {found:.{decimals}f}{unit}"
        print(f"{value}   ({'; '.join(remarks)})" if remarks else value)
    for name, title in (("joint_errors", "joint"), ("part_errors", "body part")):
        for line in two_columns(title, _named_means(results, name)):
            print(line)
    for name, value in (lsp or {}).items():
        print(f"{name}: {value:.4f}")


def two_columns(title: str, values: dict) -> list[str]:
    """Lines of a table of names and errors in mm, with two pairs in each line."""
    cells = [f"{name:18s}{value:8.2f} mm" for name, value in values.items()]
    half = -(-len(cells) // 2)
    rows = zip(cells[:half], [*cells[half:], ""][:half], strict=True)
    return [f"by {title}:", *(f"  {left}    {right}".rstrip() for left, right in rows)] if cells else []


def _named_means(results: dict, column: str) -> dict[str, float]:
    return dict(zip(VECTORS[column], mean(results[column]).tolist(), strict=False))


def write_json(target: Path, path: Path, options, results: dict, lsp: dict | None) -> None:
    """Write the means and the numbers of every image; unknown numbers are null."""
    names = scalars(results)
    content = {
        "checkpoint": str(path),
        "dataset": options.dataset,
        "data_dir": str(options.data_dir) if options.data_dir else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "unit": "mm",
        "mean": {name: _number(mean(results[name])) for name in names},
        "joints": {name: _number(value) for name, value in _named_means(results, "joint_errors").items()},
        "parts": {name: _number(value) for name, value in _named_means(results, "part_errors").items()},
        "lsp": lsp,
        "images": [
            {"imgname": str(image)} | {name: _number(results[name][index], 4) for name in names}
            for index, image in enumerate(results["imgname"])
        ],
    }
    write_text(target, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _number(value, decimals: int | None = None) -> float | None:
    value = float(value)
    return None if np.isnan(value) else value if decimals is None else round(value, decimals)


def write_csv(target: Path, results: dict) -> None:
    """Write one line per image with all its numbers, also of joints and body parts; unknown ones are empty."""
    columns = {name: results[name] for name in scalars(results)}
    for vector, names in VECTORS.items():
        columns |= dict(zip((f"{vector}: {name}" for name in names), results[vector].T, strict=False))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["imgname", *columns])
    for index, image in enumerate(results["imgname"]):
        writer.writerow([image, *(_number(values[index], 4) for values in columns.values())])
    write_text(target, stream.getvalue())


def print_table(paths: list[Path], all_results: list[dict]) -> None:
    """Print one line per checkpoint, in the order given."""
    width = max(len(str(path)) for path in paths) + 2
    titles = ("shape", "L1", "MPJPE", "PA-MPJPE", "px", "IoU", "coarse", "UV")
    print(f"{'checkpoint':{width}s}" + "".join(f"{title:>10s}" for title in titles))
    for path, results in zip(paths, all_results, strict=True):
        cells = [f"{mean(results[name]):10.{decimals}f}" for name, _, _, decimals in SUMMARY]
        print(f"{str(path):{width}s}" + "".join(cells))
    print("None of them is chosen here: choosing by the error on test images makes that error mean less.")
