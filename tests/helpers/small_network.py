"""A network with random weights for the generated body, of the size that options ask for."""

from argparse import Namespace
from pathlib import Path

import mindspore as ms

import utils.environment  # noqa: F401  before MindSpore
from models.dense_cnn import get_CNet, get_LNet
from models.DMR import DMR
from utils import config
from utils.train_options import TrainOptions


def random_network(root: Path, *words) -> tuple[Namespace, DMR]:
    """The options of the command line `words`, and the network that they describe, for the body below `root`."""
    before = config.data_root()
    config.set_data_root(root)
    ms.set_seed(0)
    try:
        options = TrainOptions().parse_args([str(word) for word in words])
        return options, DMR(get_CNet(options), get_LNet(options))
    finally:
        config.set_data_root(before)
