"""The data sets by name: where their files lie, and the mixtures of them that the PyTorch release trains on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.columns import KNOWN, tidy
from utils import config
from utils.array_files.pickles import unpickle_array
from utils.errors import UserError
from utils.files import read_npz


@dataclass(frozen=True)
class DatasetFiles:
    """Where a data set lies: the constant of utils.config for its folder, and npz names by split."""

    root: str  # images and IUV images are named relative to this folder
    npz: dict[str, str]
    prepare: str  # how its npz files are come by
    has_spin_fits: bool = False  # --use_spin_fit applies: its own annotation is 2-D, or no mesh
    gendered: bool = False  # its table must say which body model a mesh is of


BRING_IT = "Bring it in the format of SPIN and GraphCMR, see data/README.md."
DATASETS = {
    "up-3d": DatasetFiles(
        "UP_3D_ROOT",
        {"train": "up_3d_trainval", "test": "up_3d_lsp_test"},
        "Run: python preprocess_datasets.py --train_files --eval_files --gt_iuv",
    ),
    "surreal": DatasetFiles(
        "SURREAL_ROOT",
        {"train": config.SURREAL_TRAIN_NPZ, "test": config.SURREAL_VALIDATION_NPZ},
        "Run: python preprocess_surreal.py --train_files --eval_files --gt_iuv",
        gendered=True,
    ),
    "h36m": DatasetFiles("H36M_ROOT", {"train": "h36m_train"}, BRING_IT),
    "lsp": DatasetFiles("LSP_ROOT", {"train": "lsp_dataset_train"}, BRING_IT, True),
    "lsp-orig": DatasetFiles("LSP_ORIGINAL_ROOT", {"train": "lsp_dataset_original_train"}, BRING_IT, True),
    "lspet": DatasetFiles("LSPET_ROOT", {"train": "hr-lspet_train"}, BRING_IT, True),
    "mpii": DatasetFiles("MPII_ROOT", {"train": "mpii_train"}, BRING_IT, True),
    "coco": DatasetFiles("COCO_ROOT", {"train": "coco_2014_train"}, BRING_IT, True),
    "mpi-inf-3dhp": DatasetFiles("MPI_INF_3DHP_ROOT", {"train": "mpi_inf_3dhp_train"}, BRING_IT, True),
}

# name -> sampling shares. The share of a tuple of data sets is divided among them by their sizes.
MIXTURES: dict[str, dict[str | tuple[str, ...], float]] = {
    "itw": {"lsp": 0.1, "coco": 0.3, "mpii": 0.3, "up-3d": 0.3},
    "mesh": {"h36m": 0.7, "up-3d": 0.3},
    "all": {"h36m": 0.3, "lsp": 0.1, "coco": 0.2, "mpii": 0.2, "up-3d": 0.2},
    "spin": {"h36m": 0.3, ("lsp-orig", "mpii", "lspet", "coco"): 0.6, "mpi-inf-3dhp": 0.1},
}


def dataset_files(dataset: str, split: str, spin_fit: bool = False) -> tuple[Path, Path, str]:
    """Folder, npz file and what to do when it is missing, of a split; UserError for unknown names.

    spin_fit: the npz whose pose and shape are SPIN's fits, where a data set has such.
    """
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}, expected one of: {', '.join((*DATASETS, *MIXTURES))}.")
    entry = DATASETS[dataset]
    if split not in entry.npz:
        raise UserError(f"dataset {dataset} has no split {split!r}, expected one of: {', '.join(entry.npz)}.")
    name = entry.npz[split] + ("_spin_fit" if spin_fit and entry.has_spin_fits else "")
    return getattr(config, entry.root), config.DATASET_NPZ_PATH / f"{name}.npz", entry.prepare


def read_table(npz_file: Path, prepare: str, needed: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns [N, ...] of a data set's npz file; UserError where one is missing or does not fit.

    prepare: how the file is come by; one that the user brought is not to be deleted.
    """
    if not npz_file.is_file():
        raise UserError(f"{npz_file} does not exist. {prepare}")
    advice = prepare if prepare == BRING_IT else f"Delete it. {prepare}"
    table = read_npz(npz_file, advice, unpickle_array, KNOWN)
    missing = [key for key in needed if key not in table]
    if missing:
        raise UserError(f"{npz_file} has no {', '.join(missing)}. {advice}")
    count = len(np.atleast_1d(table[needed[0]]))
    uneven = [key for key, column in table.items() if column.shape[:1] != (count,)]
    if uneven or not count:
        raise UserError(f"{npz_file} has {count} images, but another number of {', '.join(uneven) or 'rows'}.")
    return tidy(npz_file, table, advice)
