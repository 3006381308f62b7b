"""Prepare SURREAL for training and evaluation: raw files -> .npz, and the ground-truth IUV images.

    python preprocess_surreal.py --train_files --eval_files --gt_iuv

Run it again at any time: finished work is kept. A video that cannot be read is reported by name.
"""

from datasets.preprocess.command import parse_args, prepare
from datasets.preprocess.surreal import Surreal
from utils.errors import run_command


def main() -> int:
    args = parse_args(
        __doc__,
        train_help="make surreal_train.npz from the videos below surreal/data/cmu/train",
        eval_help="make surreal_val.npz from namescmu.txt and valid_list.txt",
    )
    return prepare(args, Surreal)


if __name__ == "__main__":
    run_command(main)
