"""Open a data set or mixture of registry.py by its name, with the class that reads its images."""

from datasets.base_dataset import BaseDataset
from datasets.mixed_dataset import MixedDataset
from datasets.registry import DATASETS, MIXTURES
from datasets.surreal_dataset import SurrealDataset
from utils.errors import UserError, warn


def open_dataset(options, split: str, is_train: bool | None = None) -> BaseDataset | MixedDataset:
    """The split of the data set or mixture that options.dataset names; see BaseDataset for the arguments."""
    if options.dataset in MIXTURES and split == "train":
        return MixedDataset(options, options.dataset)
    return open_single(options, split, is_train)


def open_for_training(options) -> BaseDataset | MixedDataset:
    """The training split; UserError if stage dp is to run and no sample has an IUV image, from which it learns."""
    dataset = open_dataset(options, "train")
    for member in dataset.members if isinstance(dataset, MixedDataset) else [dataset]:
        missing, looked_for = member.missing_iuv
        if missing:
            warn(
                f"{missing} of {looked_for} IUV images that were looked for of {member.npz_file} are not there: these "
                f"samples have no dense annotation. {member.iuv_advice}"
            )
    where = dataset.npz_file if isinstance(dataset, BaseDataset) else f"the mixture {options.dataset}"
    lack = f"{where} has no IUV images (iuv_names)"
    if not dataset.has_iuv and options.stage != "end":
        raise UserError(f"{lack}, which stage dp learns from. {dataset.iuv_advice}")
    if not dataset.has_iuv:
        warn(f"{lack}: the losses dp_mask, dp_uv and con have nothing to learn from.")
    return dataset


def open_single(options, split: str, is_train: bool | None = None) -> BaseDataset:
    """The split of a single data set; UserError for a mixture."""
    if options.dataset in MIXTURES:
        tested = ", ".join(name for name, entry in DATASETS.items() if "test" in entry.npz)
        raise UserError(
            f"dataset {options.dataset} is a mixture for training and has no test images. Those that have: {tested}."
        )
    kind = SurrealDataset if options.dataset == "surreal" else BaseDataset
    return kind(options, options.dataset, split, is_train)
