"""The command line of the preparation: it makes npz files and IUV images, and reports broken samples."""

import argparse

from datasets.preprocess.coco import Coco
from datasets.preprocess.h36m import Human36MProtocol1, Human36MProtocol2, Human36MTraining
from datasets.preprocess.lsp import LspExtended, LspOriginal, LspTest
from datasets.preprocess.mpi_inf_3dhp import MpiInf3dhp
from datasets.preprocess.mpii import Mpii
from datasets.preprocess.preparation import TEST, TRAIN, Preparation
from datasets.preprocess.pw3d import PW3D
from datasets.preprocess.samples import Summary
from datasets.preprocess.surreal import Surreal
from datasets.preprocess.up_3d import Up3D
from utils import config
from utils.errors import UserError
from utils.renderer import CASTER_NOTE
from utils.workers import default_workers

# --dataset -> how it is prepared
PREPARATIONS: dict[str, type[Preparation]] = {
    kind.name: kind
    for kind in (
        Up3D, Surreal, Coco, Mpii, LspTest, LspOriginal, LspExtended, Human36MTraining, Human36MProtocol1,
        Human36MProtocol2, MpiInf3dhp, PW3D,
    )
}  # fmt: skip
DEFAULT = "up-3d"


def run(description: str, only: str | None = None) -> int:
    """Prepare data sets as the command line says; returns the exit code. only: the one data set of this command."""
    return prepare(parse_args(description, only))


def parse_args(description: str, only: str | None = None) -> argparse.Namespace:
    """The options of the command line; the program ends here if they ask for nothing."""
    parser = make_parser(description, only)
    args = parser.parse_args()
    if not (args.train_files or args.eval_files or args.gt_iuv):
        parser.error("nothing to do: give --train_files, --eval_files or --gt_iuv")
    args.workers = default_workers() if args.workers is None else args.workers
    if args.workers < 1:
        parser.error(f"--workers is {args.workers}, expected at least 1")
    return args


def make_parser(description: str, only: str | None = None) -> argparse.ArgumentParser:
    """The parser of preprocess_datasets.py, or of a command for the data set `only`."""
    parser = argparse.ArgumentParser(
        description=description.strip(), formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    if only:
        parser.set_defaults(dataset=[only])
    else:
        parser.add_argument(
            "--dataset", nargs="+", choices=PREPARATIONS, default=[DEFAULT], metavar="NAME",
            help=f"the data sets to prepare, of {', '.join(PREPARATIONS)} (default: {DEFAULT})",
        )  # fmt: skip
    parser.add_argument("--train_files", action="store_true", help="make the npz files of the training splits")
    parser.add_argument("--eval_files", action="store_true", help="make the npz files of the test splits")
    parser.add_argument("--gt_iuv", action="store_true", help="draw the IUV images of the npz files that exist")
    parser.add_argument(
        "--uv_type", choices=sorted(config.ATLAS_TEMPLATES), default="BF", help="atlas of the IUV images (default: BF)"
    )
    parser.add_argument("--data_dir", help="data root, in place of $DECOMR_DATA or data/")
    parser.add_argument("--workers", type=int, help="number of processes (default: all cores)")
    parser.add_argument(
        "--skip_bad",
        action="store_true",
        help="exit code 0 though samples are broken; they are named and left out anyway",
    )
    return parser


def prepare(args: argparse.Namespace) -> int:
    """Run the steps that `args` asks for; returns the exit code."""
    if args.data_dir:
        config.set_data_root(args.data_dir)
    preparations = [PREPARATIONS[name]() for name in dict.fromkeys(args.dataset)]
    splits = [split for split, wanted in ((TRAIN, args.train_files), (TEST, args.eval_files)) if wanted]
    for preparation in preparations:
        _check_steps(preparation, splits, args.gt_iuv)
    summaries = []
    for preparation in preparations:
        summaries += [preparation.make_split(split, args.workers) for split in splits if preparation.has(split)]
        if args.gt_iuv and preparation.gets_iuv:
            summaries += draw_images(preparation, args.uv_type, args.workers)
    return report(summaries, args.skip_bad)


def _check_steps(preparation: Preparation, splits: list[str], gt_iuv: bool) -> None:
    """UserError if nothing that is asked for can be done for a data set."""
    if any(map(preparation.has, splits)) or (gt_iuv and preparation.gets_iuv):
        return
    step = "--train_files" if preparation.has(TRAIN) else "--eval_files"
    lacks = " and ".join([f"{split} files" for split in splits] + (["IUV images"] if gt_iuv else []))
    raise UserError(f"{preparation.name} has no {lacks}. Give {step}.")


def draw_images(preparation: Preparation, uv_type: str, workers: int) -> list[Summary]:
    """Draw the missing IUV images of the tables that exist; UserError if there are none."""
    tables = preparation.iuv_tables()
    if not tables:
        raise UserError(
            f"{config.DATASET_NPZ_PATH} holds no npz file of {preparation.name} yet. Run with --train_files first."
        )
    if CASTER_NOTE:
        print(CASTER_NOTE)
    return [preparation.make_iuv(table, uv_type, workers) for table in tables]


def report(summaries: list[Summary], skip_bad: bool) -> int:
    """Print the summaries and the broken samples; returns the exit code: 1 for broken samples without skip_bad."""
    for summary in summaries:
        print(summary)
    broken = sorted({name for summary in summaries for name in summary.broken})
    if broken:
        print(f"{len(broken)} broken samples: {', '.join(broken[:10])}{' ...' if len(broken) > 10 else ''}")
    return 1 if broken and not skip_bad else 0
