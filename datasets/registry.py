"""The list of data sets and mixtures: a new one is added here.

DATASETS says where the files of each lie, MIXTURES which of them are trained on together (those of the PyTorch
release). open_dataset.py opens them by these names, datasets/preprocess/ makes their tables, and
evaluation/protocols.py says how each is evaluated.
"""

from dataclasses import dataclass
from pathlib import Path

from utils import config
from utils.errors import UserError


@dataclass(frozen=True)
class DatasetFiles:
    """Where the files of a data set lie, and what its table holds."""

    root: str  # constant of utils.config: the folder that images and IUV images are named relative to
    npz: dict[str, tuple[str, ...]]  # split -> the names its table may have; the first is the one that is made here
    prepare: str  # how to make or get the tables
    fits: str = ""  # name of SPIN's file of fits, for --use_spin_fit, if the data set has no meshes of its own
    gendered: bool = False  # its table must say which body model a mesh is of
    masks: str = ""  # constant of utils.config: the folder of silhouettes and parts, if it is not `root`


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split: the folder of its images, its table, and the file of SPIN's fits or None.

    prepare: what to do if the table is missing.
    """

    root: Path
    npz_file: Path
    fits_file: Path | None
    prepare: str


def _made_by(name: str, steps: str = "--train_files --gt_iuv") -> str:
    return f"Run: python preprocess_datasets.py --dataset {name} {steps}"


BRING_IT = "Bring it in the format of SPIN and GraphCMR, see data/README.md."
_H36M_TRAIN = DatasetFiles("H36M_ROOT", {"train": ("h36m_train_new", "h36m_train")}, BRING_IT)
DATASETS = {
    "up-3d": DatasetFiles(
        "UP_3D_ROOT",
        {"train": ("up_3d_trainval",), "test": ("up_3d_lsp_test",)},
        "Run: python preprocess_datasets.py --train_files --eval_files --gt_iuv",
    ),
    "surreal": DatasetFiles(
        "SURREAL_ROOT",
        {"train": (config.SURREAL_TRAIN_NPZ,), "test": (config.SURREAL_VALIDATION_NPZ,)},
        "Run: python preprocess_surreal.py --train_files --eval_files --gt_iuv",
        gendered=True,
    ),
    "h36m": _H36M_TRAIN,
    "h36m-train": _H36M_TRAIN,  # its name in the PyTorch release
    "h36m-p1": DatasetFiles(
        "H36M_ROOT", {"test": ("h36m_valid_protocol1",)}, _made_by("h36m-p1", "--eval_files"),
    ),
    "h36m-p2": DatasetFiles(
        "H36M_ROOT", {"test": ("h36m_valid_protocol2",)}, _made_by("h36m-p2", "--eval_files"),
    ),
    "3dpw": DatasetFiles("PW3D_ROOT", {"test": ("3dpw_test",)}, _made_by("3dpw", "--eval_files"), gendered=True),
    "mpi-inf-3dhp": DatasetFiles(
        "MPI_INF_3DHP_ROOT",
        {"train": ("mpi_inf_3dhp_train",), "test": ("mpi_inf_3dhp_valid", "mpi_inf_3dhp_test")},
        _made_by("mpi-inf-3dhp", "--train_files --eval_files --gt_iuv"),
        fits="mpi_inf_3dhp",
    ),
    "lsp": DatasetFiles(
        "LSP_ROOT", {"test": ("lsp_dataset_test",)}, _made_by("lsp", "--eval_files"), masks="UPI_S1H_ROOT",
    ),
    "lsp-orig": DatasetFiles(
        "LSP_ORIGINAL_ROOT", {"train": ("lsp_dataset_original_train",)}, _made_by("lsp-orig"), fits="lsp",
    ),
    "lspet": DatasetFiles("LSPET_ROOT", {"train": ("hr-lspet_train",)}, _made_by("lspet"), fits="lspet"),
    "mpii": DatasetFiles("MPII_ROOT", {"train": ("mpii_train",)}, _made_by("mpii"), fits="mpii"),
    "coco": DatasetFiles("COCO_ROOT", {"train": ("coco_2014_train",)}, _made_by("coco"), fits="coco"),
}  # fmt: skip

# name -> sampling shares. The share of a tuple of data sets is divided among them by their sizes.
MIXTURES: dict[str, dict[str | tuple[str, ...], float]] = {
    "itw": {"lsp-orig": 0.1, "coco": 0.3, "mpii": 0.3, "up-3d": 0.3},
    "mesh": {"h36m": 0.7, "up-3d": 0.3},
    "all": {"h36m": 0.3, "lsp-orig": 0.1, "coco": 0.2, "mpii": 0.2, "up-3d": 0.2},
    "spin": {"h36m": 0.3, ("lsp-orig", "mpii", "lspet", "coco"): 0.6, "mpi-inf-3dhp": 0.1},
}


def find_dataset(dataset: str) -> DatasetFiles:
    """The entry of a data set; UserError for unknown names."""
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}, expected one of: {', '.join((*DATASETS, *MIXTURES))}.")
    return DATASETS[dataset]


def dataset_files(dataset: str, split: str, spin_fits: bool = False) -> SplitFiles:
    """The files of a split; UserError for unknown names, and for SPIN's fits that are missing.

    spin_fits: take SPIN's fits as pose and shape, if the data set has no meshes of its own.
    """
    entry = find_dataset(dataset)
    if split not in entry.npz:
        raise UserError(f"dataset {dataset} has no split {split!r}, expected one of: {', '.join(entry.npz)}.")
    root, names = getattr(config, entry.root), entry.npz[split]
    npz_file = _first_file([folder / f"{name}.npz" for name in names for folder in _table_folders()])
    if not (spin_fits and entry.fits and split == "train"):
        return SplitFiles(root, npz_file, None, entry.prepare)
    with_fits = npz_file.with_name(f"{npz_file.stem}_spin_fit.npz")  # one table with both, as releases have it
    if with_fits.is_file():
        return SplitFiles(root, with_fits, None, entry.prepare)
    return SplitFiles(root, npz_file, require_fits(dataset), entry.prepare)


def require_fits(dataset: str) -> Path:
    """SPIN's fits of a data set; UserError if they are missing."""
    path = fits_file(dataset)
    if not path.is_file():
        raise UserError(f"{path} does not exist. It holds SPIN's fits of {dataset}; see data/README.md.")
    return path


def fits_file(dataset: str) -> Path:
    """Where SPIN's fits of a data set lie, whether they exist or not."""
    folders = [config.SPIN_FITS, *(folder / "spin_fits" for folder in _table_folders())]
    return _first_file([folder / f"{find_dataset(dataset).fits}.npz" for folder in folders])


def _table_folders() -> tuple[Path, Path]:
    """The folders of tables: the one that is written to, and that of SPIN's download."""
    return config.DATASET_NPZ_PATH, config.DATASET_EXTRAS


def _first_file(paths: list[Path]) -> Path:
    """The first of the paths that is a file; the first of all if none is."""
    return next((path for path in paths if path.is_file()), paths[0])
