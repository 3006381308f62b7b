"""Evaluate checkpoints on the test images of a data set.

    python eval.py --dataset=up-3d --batch_size=16 [--checkpoint ckpt/rank0/dmr_30.ckpt ...] [--report report.html]

Writes save_root/{dataset}.json and .csv, with --num_vis a contact sheet of pictures, with --report a page
that shows where the errors are. Several checkpoints also give a table.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import copy
from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

import cv2
import numpy as np
from tqdm import tqdm

from atlas import trained_on
from atlas.prepare import write_missing_tables
from datasets.base_dataset import BaseDataset
from datasets.loader import create_loader
from datasets.open_dataset import open_single
from evaluation import lsp_masks, summary
from evaluation.contact_sheet import draw_contact_sheet, spread
from evaluation.errors import ErrorMeter
from evaluation.mean_mesh import mean_training_mesh
from evaluation.report import write_report
from evaluation.shards import gather
from models.ground_truth import GroundTruth
from models.inference import MeshPredictor, find_checkpoints, load_predictor, run_in_batches
from utils import config
from utils.body_model import load_body_model, load_joint_regressors
from utils.checkpoints import checkpoint
from utils.errors import UserError, run_command
from utils.files import make_folder, write_png
from utils.optional_kernels import find_kernels
from utils.train_options import TrainOptions

COLUMNS = ("img", "imgname", "pose", "betas", "gender", "keypoints", "gt_iuv", "has_dp", "has_smpl", "center", "scale",
           "maskname", "partname")  # fmt: skip
TEXT = ("imgname", "maskname", "partname")


def evaluate(options, device, dataset: BaseDataset, predictor: MeshPredictor, meter: ErrorMeter) -> dict | None:
    """Errors per image by name, as the meters give them, and imgname; on rank 0, None on the others."""
    ground_truth = GroundTruth(options.uv_res, options.uv_type, dataset.mesh_genders())
    has_masks = lsp_masks.has_annotations(dataset.table)
    masks = lsp_masks.MaskMeter(dataset.root, load_body_model(config.SMPL_FILE).faces) if has_masks else None
    batch_size = min(options.batch_size, len(dataset))
    if len(dataset) <= batch_size * (device.world_size - 1):
        raise UserError(
            f"{len(dataset)} test images in batches of {batch_size} are not enough for {device.world_size} ranks. "
            "Choose a smaller --batch_size."
        )
    loader = create_loader(
        dataset, COLUMNS, batch_size, shuffle=False, drop_last=False, num_workers=options.num_workers,
        rank=device.rank, world_size=device.world_size,
    )  # fmt: skip
    batches = []
    for batch in tqdm(loader, desc="eval", unit="batch", disable=device.rank > 0):
        arrays = {name: batch[name] if name in TEXT else batch[name].asnumpy() for name in COLUMNS}
        dp_out, vertices, cameras = run_in_batches(predictor, batch_size, arrays["img"])
        true, _ = run_in_batches(ground_truth, batch_size, *(arrays[name] for name in ("pose", "betas", "gender")))
        errors = meter(arrays, dp_out, vertices, cameras, true)
        if masks:
            errors |= masks(arrays, vertices, cameras)
        batches.append(errors | {"imgname": arrays["imgname"]})
    results = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return gather(results, device, Path(options.save_root), len(dataset), batch_size)


def evaluate_checkpoint(options, device, path: Path, stem: str, meter: ErrorMeter) -> dict | None:
    """Evaluate one checkpoint; write and print everything about it; its results, on rank 0."""
    dataset = open_single(options, "test")
    predictor = load_predictor(options, path)
    find_kernels().accelerate(predictor, options.kernels)
    results = evaluate(options, device, dataset, predictor, meter)
    if results is None:
        return None
    lsp = lsp_masks.summarise(results)
    summary.print_summary(path, options.dataset, results, lsp)
    folder = Path(options.save_root)
    written = [folder / f"{stem}.json", folder / f"{stem}.csv"]
    summary.write_json(written[0], path, options, results, lsp)
    summary.write_csv(written[1], results)
    if options.num_vis:
        written.append(folder / f"{stem}_contact_sheet.png")
        sheet = draw_contact_sheet(options, predictor, spread(len(dataset), options.num_vis))
        write_png(written[-1], cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if options.report:
        written.append(Path(options.report))
        write_report(written[-1], path, options, predictor, results, lsp)
    for target in written:
        print(f"written: {target}")
    return results


def make_options() -> TrainOptions:
    """The options of train.py, and two of the evaluation alone."""
    options = TrainOptions("Evaluate DecoMR.", several_checkpoints=True)
    own = options.parser.add_argument_group("eval.py alone")
    own.add_argument("--num_vis", type=int, default=0, help="number of images on the contact sheet; 0: no sheet")
    own.add_argument("--report", metavar="FILE", help="write a page about the errors, as one .html file")
    return options


def main():
    parser = make_options()
    options, given = parser.parse_args(), parser.given()
    device = setup_device(options)
    print(f"{device}, {find_kernels().choose(options.kernels)}")
    make_folder(options.save_root)  # now, not after the evaluation
    if options.report:
        make_folder(Path(options.report).parent)
    paths = find_checkpoints(options)
    if options.report and len(paths) > 1:
        raise UserError(f"--report shows one checkpoint, but {len(paths)} are given.")
    open_single(options, "test")  # says first what is missing of the data
    lsp_rows = load_joint_regressors().lsp_rows
    meter = ErrorMeter(lsp_rows, mean_training_mesh(options, lsp_rows))
    all_results = []
    for number, path in enumerate(paths, start=1):
        own = copy.copy(options)  # each checkpoint brings its architecture
        checkpoint.adopt_architecture(own, path, given)
        if device.rank == 0:
            write_missing_tables(own)
        trained_on.check(own, path, ("body",))  # whose meshes are the truth; load_trained looks at the rest
        stem = options.dataset if len(paths) == 1 else f"{options.dataset}_{number}_{path.stem}"
        results = evaluate_checkpoint(own, device, path, stem, meter)
        if results is not None:
            all_results.append(results)
    if device.rank == 0 and len(paths) > 1:
        summary.print_table(paths, all_results)


if __name__ == "__main__":
    run_command(main)
