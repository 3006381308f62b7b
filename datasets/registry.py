"""The list of data sets and mixtures: a new one is added here.

DATASETS says where the files of each lie, MIXTURES which of them are trained on together (those of the PyTorch
release). open_dataset.py opens them by these names.
"""

from dataclasses import dataclass
from pathlib import Path

from utils import config
from utils.errors import UserError


@dataclass(frozen=True)
class DatasetFiles:
    """Where the files of a data set lie, and what its table holds."""

    root: str  # constant of utils.config: the folder that images and IUV images are named relative to
    npz: dict[str, str]  # split -> name of its npz file
    prepare: str  # how to make or get the npz files
    has_spin_fits: bool = False  # --use_spin_fit applies, because it has no mesh of its own
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
    """Folder of a split, its npz file, and what to do if that is missing; UserError for unknown names.

    spin_fit: take the npz file with SPIN's fits as pose and shape, if the data set has one.
    """
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}, expected one of: {', '.join((*DATASETS, *MIXTURES))}.")
    entry = DATASETS[dataset]
    if split not in entry.npz:
        raise UserError(f"dataset {dataset} has no split {split!r}, expected one of: {', '.join(entry.npz)}.")
    name = entry.npz[split] + ("_spin_fit" if spin_fit and entry.has_spin_fits else "")
    return getattr(config, entry.root), config.DATASET_NPZ_PATH / f"{name}.npz", entry.prepare
