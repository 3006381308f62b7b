"""Prepare SURREAL for training and evaluation: raw files -> .npz, and the ground-truth IUV images.

    python preprocess_surreal.py --train_files --eval_files --gt_iuv

Run it again at any time: finished work is kept. A video that cannot be read is reported by name.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

from datasets.preprocess.command import run
from utils.errors import run_command

if __name__ == "__main__":
    run_command(lambda: run(__doc__, only="surreal"))
