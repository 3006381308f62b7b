"""Prepare UP-3D for training and evaluation: raw files -> .npz, and the ground-truth IUV images.

    python preprocess_datasets.py --train_files --eval_files --gt_iuv

Run it again at any time: finished work is kept. A sample that cannot be read is reported by name.
"""

import argparse

from datasets.preprocess import generate_gt_iuv, up_3d
from datasets.preprocess.samples import default_workers
from utils import config
from utils.body_model import load_body_model, load_joint_regressors
from utils.errors import UserError, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--train_files", action="store_true", help="make up_3d_trainval.npz from trainval.txt")
    parser.add_argument("--eval_files", action="store_true", help="make up_3d_lsp_test.npz from namesUPlsp.txt")
    parser.add_argument("--gt_iuv", action="store_true", help="draw the IUV images of the .npz files that exist")
    parser.add_argument("--uv_type", choices=sorted(config.ATLAS_TEMPLATES), default="BF", help="atlas (default BF)")
    parser.add_argument("--data_dir", help="folder that holds the data (default: $DECOMR_DATA or data/)")
    parser.add_argument("--workers", type=int, default=default_workers(), help="processes (default: all cores)")
    parser.add_argument("--skip_bad", action="store_true", help="exit with 0 although samples are broken")
    args = parser.parse_args()
    if not (args.train_files or args.eval_files or args.gt_iuv):
        parser.error("nothing to do: give --train_files, --eval_files or --gt_iuv")
    if args.workers < 1:
        parser.error(f"--workers is {args.workers}, expected at least 1")
    return args


def main() -> int:
    args = parse_args()
    if args.data_dir:
        config.set_data_root(args.data_dir)
    splits = [(up_3d.train_split(), args.train_files), (up_3d.test_split(), args.eval_files)]
    body = load_body_model(config.SMPL_FILE)
    regressors = load_joint_regressors(model=body)

    summaries = [up_3d.make_split(split, body, regressors, args.workers) for split, wanted in splits if wanted]
    if args.gt_iuv:
        files = [split.npz_file for split, _ in splits if split.npz_file.is_file()]
        if not files:
            raise UserError(f"{config.DATASET_NPZ_PATH} holds no UP-3D .npz yet. Run with --train_files first.")
        summaries += [generate_gt_iuv.make_iuv(file, args.uv_type, body, regressors, args.workers) for file in files]

    for summary in summaries:
        print(summary)
    broken = sorted({name for summary in summaries for name in summary.broken})
    if broken:
        print(f"{len(broken)} broken samples: {', '.join(broken[:10])}{' ...' if len(broken) > 10 else ''}")
    return 1 if broken and not args.skip_bad else 0


if __name__ == "__main__":
    run_command(main)
