"""Prepare UP-3D for training and evaluation: raw files -> .npz, and the ground-truth IUV images.

    python preprocess_datasets.py --train_files --eval_files --gt_iuv

Run it again at any time: finished work is kept. A sample that cannot be read is reported by name.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

from datasets.preprocess.command import run
from datasets.preprocess.up_3d import Up3D
from utils.errors import run_command

if __name__ == "__main__":
    run_command(lambda: run(Up3D, __doc__))
