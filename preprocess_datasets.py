"""Prepare UP-3D for training and evaluation: raw files -> .npz, and the ground-truth IUV images.

    python preprocess_datasets.py --train_files --eval_files --gt_iuv

Run it again at any time: finished work is kept. A sample that cannot be read is reported by name.
"""

from datasets.preprocess.command import parse_args, prepare
from datasets.preprocess.up_3d import Up3D
from utils.errors import run_command


def main() -> int:
    args = parse_args(
        __doc__,
        train_help="make up_3d_trainval.npz from trainval.txt",
        eval_help="make up_3d_lsp_test.npz from namesUPlsp.txt",
    )
    return prepare(args, Up3D)


if __name__ == "__main__":
    run_command(main)
