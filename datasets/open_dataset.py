"""From the name of a data set to its items."""

from datasets.base_dataset import BaseDataset
from datasets.mixed_dataset import MixedDataset
from datasets.registry import MIXTURES
from datasets.surreal_dataset import SurrealDataset


def open_dataset(options, split: str, is_train: bool | None = None) -> BaseDataset | MixedDataset:
    """The split of the data set that options.dataset names; see BaseDataset for the arguments."""
    if options.dataset in MIXTURES:
        return MixedDataset(options, options.dataset, split)
    kind = SurrealDataset if options.dataset == "surreal" else BaseDataset
    return kind(options, options.dataset, split, is_train)
