"""From the name of a data set to its items."""

from datasets.base_dataset import BaseDataset
from datasets.mixed_dataset import MixedDataset
from datasets.registry import MIXTURES
from datasets.surreal_dataset import SurrealDataset
from utils.errors import UserError


def open_dataset(options, split: str, is_train: bool | None = None) -> BaseDataset | MixedDataset:
    """The split of the data set or mixture that options.dataset names; see BaseDataset for the arguments."""
    if options.dataset in MIXTURES and split == "train":
        return MixedDataset(options, options.dataset)
    return open_single(options, split, is_train)


def open_single(options, split: str, is_train: bool | None = None) -> BaseDataset:
    """The split of a data set that is no mixture."""
    if options.dataset in MIXTURES:
        raise UserError(
            f"dataset {options.dataset} is a mixture for training and has no test images. Use up-3d or surreal."
        )
    kind = SurrealDataset if options.dataset == "surreal" else BaseDataset
    return kind(options, options.dataset, split, is_train)
