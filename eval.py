"""Evaluate a checkpoint: shape error, MPJPE and PA-MPJPE on the test images of a data set.

    python eval.py --dataset=up-3d --batch_size=16 [--checkpoint ckpt/rank0/dmr_30.ckpt]

Writes save_root/{dataset}.json and, with --num_vis, a contact sheet of pictures.
"""

import datetime
import json
from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

import cv2
import numpy as np
from tqdm import tqdm

from datasets.base_dataset import BaseDataset
from datasets.loader import create_loader
from evaluation.contact_sheet import draw_contact_sheet
from evaluation.in_batches import run_in_batches
from evaluation.mean_mesh import mean_training_mesh
from models.ground_truth import GroundTruth
from models.predictor import MeshPredictor
from models.trained import find_checkpoint, load_trained
from models.uv_generator import Index_UV_Generator
from utils import checkpoint
from utils.body_model import load_joint_regressors
from utils.errors import run_command
from utils.files import make_folder, write_png, write_text
from utils.metrics import pose_errors
from utils.train_options import TrainOptions

COLUMNS = ("img", "imgname", "pose", "betas", "gender")
SUMMARY = (("shape_error", "Shape Error"), ("mpjpe", "MPJPE"), ("pa_mpjpe", "PA-MPJPE"))


def load_predictor(options, path: Path) -> MeshPredictor:
    """Image -> mesh, with the weights of a checkpoint."""
    return MeshPredictor(load_trained(options, path), Index_UV_Generator(options.uv_res, uv_type=options.uv_type))


def evaluate(options, dataset: BaseDataset, predictor: MeshPredictor) -> dict:
    """Errors per image in mm by name, with those of the mean mesh (`mean_mesh_...`), and image names."""
    lsp_rows = load_joint_regressors().lsp_rows
    ground_truth = GroundTruth(options.uv_res, options.uv_type, options.dataset == "surreal")
    mean_mesh = mean_training_mesh(options, lsp_rows)
    batch_size = min(options.batch_size, len(dataset))
    loader = create_loader(
        dataset, COLUMNS, batch_size, shuffle=False, drop_last=False, num_workers=options.num_workers
    )
    batches = []
    for batch in tqdm(loader, desc="eval", unit="batch"):
        arrays = {name: batch[name].asnumpy() for name in COLUMNS if name != "imgname"}
        _, predicted, _ = run_in_batches(predictor, batch_size, arrays["img"])
        true, _ = run_in_batches(ground_truth, batch_size, *(arrays[name] for name in ("pose", "betas", "gender")))
        errors = pose_errors(predicted, lsp_rows @ predicted, true, lsp_rows @ true)
        constant = np.broadcast_to(mean_mesh, true.shape)
        baseline = pose_errors(constant, lsp_rows @ constant, true, lsp_rows @ true)
        errors |= {f"mean_mesh_{name}": values for name, values in baseline.items()}
        batches.append(errors | {"imgname": batch["imgname"]})
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def report(options, path: Path, results: dict) -> None:
    """Print the final result and write it, with the errors of every image, to save_root."""
    means = {name: float(values.mean()) for name, values in results.items() if name != "imgname"}
    print("*** Final Results ***")
    print(f"{path}, {options.dataset}, {len(results['imgname'])} images")
    for name, title in SUMMARY:
        print(f"{title}: {means[name]:.2f} mm   (mean training mesh: {means[f'mean_mesh_{name}']:.2f} mm)")
    content = {
        "checkpoint": str(path),
        "dataset": options.dataset,
        "data_dir": str(options.data_dir) if options.data_dir else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "unit": "mm",
        "mean": means,
        "images": [
            {
                name: str(value) if name == "imgname" else round(float(value), 4)
                for name, value in zip(results, row, strict=True)
            }
            for row in zip(*results.values(), strict=True)
        ],
    }
    target = Path(options.save_root) / f"{options.dataset}.json"
    write_text(target, json.dumps(content, indent=1) + "\n")
    print(f"written: {target}")


def main():
    parser = TrainOptions("Evaluate DecoMR.")
    parser.parser.add_argument("--num_vis", type=int, default=0, help="images on the contact sheet")
    options = parser.parse_args()
    device = setup_device(options)
    print(device)
    make_folder(options.save_root)  # now, not after the evaluation
    path = find_checkpoint(options)
    checkpoint.adopt_architecture(options, path, parser.given())
    dataset = BaseDataset(options, options.dataset, "test")
    predictor = load_predictor(options, path)
    report(options, path, evaluate(options, dataset, predictor))
    if options.num_vis:
        target = Path(options.save_root) / f"{options.dataset}_contact_sheet.png"
        write_png(target, cv2.cvtColor(draw_contact_sheet(options, predictor), cv2.COLOR_RGB2BGR))
        print(f"written: {target}")


if __name__ == "__main__":
    run_command(main)
