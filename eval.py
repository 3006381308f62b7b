"""Evaluate checkpoints on the test images of data sets.

    python eval.py --dataset=up-3d --batch_size=16 [--checkpoint ckpt/rank0/dmr_30.ckpt ...] [--report report.html]
    python eval.py --dataset h36m-p2 3dpw up-3d [--joints spin]

Writes save_root/{dataset}.json and .csv, with --num_vis a contact sheet of pictures, with --report a page
that shows where the errors are. Several checkpoints or data sets also give a table. evaluation/protocols.py says
what is measured on which data set.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import copy
from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

import cv2

from atlas import trained_on
from atlas.prepare import write_missing_tables
from datasets.open_dataset import open_single
from evaluation import protocols, summary
from evaluation.contact_sheet import draw_contact_sheet, spread
from evaluation.errors import ErrorMeter
from evaluation.mean_mesh import mean_training_mesh
from evaluation.measure import Evaluation, evaluate
from evaluation.report import write_report
from evaluation.table import make_table, print_table, write_table
from fitting.body_fit import BodyFitter
from models.inference import MeshPredictor, find_checkpoints, load_predictor
from utils import config
from utils.body_model import load_body_model
from utils.checkpoints import checkpoint
from utils.errors import UserError, run_command
from utils.files import check_target, make_folder, write_png
from utils.optional_kernels import find_kernels
from utils.train_options import TrainOptions


def for_dataset(options, dataset: str):
    """The options with one data set in place of the list."""
    own = copy.copy(options)
    own.dataset = dataset
    return own


def make_meter(options) -> ErrorMeter:
    """What measures the errors on options.dataset; UserError for what is missing of its data."""
    open_single(options, "test")
    protocol = protocols.find_protocol(options.dataset, options.joints)
    meter = ErrorMeter.of(protocol)
    if protocol.truth == protocols.MASKS:
        return meter
    fitter = BodyFitter(load_body_model(config.SMPL_FILE)) if options.fit else None
    return ErrorMeter.of(protocol, mean_training_mesh(options, meter.root_row), fitter)


def evaluate_dataset(
    options, device, path: Path, stem: str, predictor: MeshPredictor, meter: ErrorMeter
) -> Evaluation | None:
    """Evaluate one checkpoint on one data set; write and print everything about it; the evaluation, on rank 0."""
    dataset = open_single(options, "test")
    evaluation = evaluate(options, device, dataset, predictor, meter, path)
    if evaluation is None:
        return None
    summary.print_summary(evaluation)
    folder = Path(options.save_root)
    written = [folder / f"{stem}.json", folder / f"{stem}.csv"]
    summary.write_json(written[0], evaluation, options)
    summary.write_csv(written[1], evaluation)
    if options.num_vis:
        written.append(folder / f"{stem}_contact_sheet.png")
        sheet = draw_contact_sheet(options, predictor, spread(len(dataset), options.num_vis), meter.fitter)
        write_png(written[-1], cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if options.report:
        written.append(Path(options.report))
        write_report(written[-1], evaluation, options, predictor, meter.fitter)
    for target in written:
        print(f"written: {target}")
    return evaluation


def make_options() -> TrainOptions:
    """The options of train.py, and those of the evaluation alone."""
    options = TrainOptions("Evaluate DecoMR.", several_checkpoints=True, several_datasets=True)
    own = options.parser.add_argument_group("eval.py alone")
    help_text = (
        "joints of a mesh on Human3.6M, 3DPW and MPI-INF-3DHP: those of training, or those of SPIN's tables, which "
        "J_regressor_h36m.npy makes"
    )
    own.add_argument(
        "--joints", choices=(protocols.TRAINING, protocols.SPIN), default=protocols.TRAINING, help=help_text
    )
    help_text = "also fit the body model to each mesh, and report the errors of the fitted body beside"
    own.add_argument("--fit", action="store_true", help=help_text)
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
        check_target(options.report)
    paths, datasets = find_checkpoints(options), list(dict.fromkeys(options.dataset))
    for values, what in ((paths, "checkpoint"), (datasets, "data set")):
        if options.report and len(values) > 1:
            raise UserError(f"--report shows one {what}, but {len(values)} are given.")
    meters = {dataset: make_meter(for_dataset(options, dataset)) for dataset in datasets}
    evaluations = []
    for number, path in enumerate(paths, start=1):
        own = copy.copy(options)  # each checkpoint brings its architecture
        checkpoint.adopt_architecture(own, path, given)
        if device.rank == 0:
            write_missing_tables(own)
        trained_on.check(own, path, ("body",))  # whose meshes are the truth; load_trained looks at the rest
        predictor = load_predictor(own, path)
        find_kernels().accelerate(predictor, own.kernels)
        for dataset, meter in meters.items():
            stem = dataset if len(paths) == 1 else f"{dataset}_{number}_{path.stem}"
            evaluation = evaluate_dataset(for_dataset(own, dataset), device, path, stem, predictor, meter)
            if evaluation is not None:  # on rank 0
                evaluations.append(evaluation)
    if len(evaluations) > 1:
        table = make_table(evaluations)
        print_table(table)
        for target in write_table(Path(options.save_root), table):
            print(f"written: {target}")


if __name__ == "__main__":
    run_command(main)
