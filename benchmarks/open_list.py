"""The child of benchmarks.growth: opens the training list of a data root and makes one batch."""

import sys

import utils.environment  # noqa: F401  isort: skip  before MindSpore

from benchmarks.side_by_side import serve
from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from utils import config
from utils.train_options import TrainOptions

COLUMNS = ("img", "pose", "betas", "keypoints", "gt_iuv")


def main():
    config.set_data_root(sys.argv[1])
    options = TrainOptions().parse_args([])

    def work():
        dataset = open_dataset(options, "train")
        next(iter(create_loader(dataset, COLUMNS, 4, epoch=0, shuffle=True, drop_last=True, num_workers=1)))

    serve(work)


if __name__ == "__main__":
    main()
