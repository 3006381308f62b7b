"""The command line of every data set's preparation: it makes npz files and IUV images, and reports broken samples."""

import argparse
from pathlib import Path
from typing import Protocol

from datasets.preprocess.samples import Summary
from utils import config
from utils.errors import UserError
from utils.renderer import CASTER_NOTE
from utils.workers import default_workers


class Preparation(Protocol):
    """What each data set must have: a name, the help on two steps, and the steps, each with `workers` processes."""

    name: str
    train_help: str
    eval_help: str

    def make_train(self, workers: int) -> Summary:
        """Write the .npz of the training split."""

    def make_eval(self, workers: int) -> Summary:
        """Write the .npz of the test split."""

    def make_iuv(self, npz_file: Path, uv_type: str, workers: int) -> Summary:
        """Draw the missing IUV images of an .npz file."""

    def npz_files(self) -> list[Path]:
        """The .npz files that get IUV images, whether they exist or not."""


def run(data_set: type[Preparation], description: str) -> int:
    """Prepare a data set as the command line says; returns the exit code."""
    return prepare(parse_args(description, data_set), data_set)


def parse_args(description: str, data_set: type[Preparation]) -> argparse.Namespace:
    """The options of the command line; the program ends here if they ask for nothing."""
    parser = make_parser(description, data_set)
    args = parser.parse_args()
    if not (args.train_files or args.eval_files or args.gt_iuv):
        parser.error("nothing to do: give --train_files, --eval_files or --gt_iuv")
    args.workers = default_workers() if args.workers is None else args.workers
    if args.workers < 1:
        parser.error(f"--workers is {args.workers}, expected at least 1")
    return args


def make_parser(description: str, data_set: type[Preparation]) -> argparse.ArgumentParser:
    """The parser of a data set's preparation."""
    parser = argparse.ArgumentParser(
        description=description.strip(), formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--train_files", action="store_true", help=data_set.train_help)
    parser.add_argument("--eval_files", action="store_true", help=data_set.eval_help)
    parser.add_argument("--gt_iuv", action="store_true", help="draw the IUV images of the .npz files that exist")
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


def prepare(args: argparse.Namespace, data_set: type[Preparation]) -> int:
    """Run the steps that `args` asks for; returns the exit code."""
    if args.data_dir:
        config.set_data_root(args.data_dir)
    preparation = data_set()
    summaries = []
    if args.train_files:
        summaries.append(preparation.make_train(args.workers))
    if args.eval_files:
        summaries.append(preparation.make_eval(args.workers))
    if args.gt_iuv:
        files = [file for file in preparation.npz_files() if file.is_file()]
        if not files:
            raise UserError(
                f"{config.DATASET_NPZ_PATH} holds no {preparation.name} .npz yet. Run with --train_files first."
            )
        if CASTER_NOTE:
            print(CASTER_NOTE)
        summaries += [preparation.make_iuv(file, args.uv_type, args.workers) for file in files]
    return report(summaries, args.skip_bad)


def report(summaries: list[Summary], skip_bad: bool) -> int:
    """Print the summaries and the broken samples; returns the exit code: 1 for broken samples without skip_bad."""
    for summary in summaries:
        print(summary)
    broken = sorted({name for summary in summaries for name in summary.broken})
    if broken:
        print(f"{len(broken)} broken samples: {', '.join(broken[:10])}{' ...' if len(broken) > 10 else ''}")
    return 1 if broken and not skip_bad else 0
