"""How a data set is prepared: samples of its original files -> rows of the table of a split, then IUV images.

A data set derives a class from Preparation and enters it in PREPARATIONS of datasets/preprocess/command.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.preprocess.mesh_iuv import make_mesh_iuv
from datasets.preprocess.samples import Incomplete, Summary
from datasets.preprocess.tables import Layout, make_table
from datasets.registry import DATASETS, dataset_files, fits_file
from utils import config
from utils.errors import UserError

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Plan:
    """What makes the table of a split.

    layout: its columns. names: its samples. job: the name of a sample -> its rows, a dict of columns [n, ...];
    picklable, because processes run it. newest_change: the name of a sample -> time of the last change to its files,
    infinite if one is missing; rows that are newer are kept. is_current: the rows of a sample from an earlier run ->
    whether they can be kept; for samples whose images must be there, or whose rows depend on other samples.
    """

    layout: Layout
    names: Sequence[str]
    job: Callable[[str], dict | Incomplete]
    newest_change: Callable[[str], float]
    is_current: Callable[[dict], bool] | None = None


class Preparation(ABC):
    """The preparation of the data set `name` of datasets/registry.py; subclasses give the plans of its splits."""

    name: str

    @abstractmethod
    def plan(self, split: str) -> Plan:
        """How the table of a split that the registry lists is made; UserError if original files are missing."""

    @property
    def root(self) -> Path:
        """The folder of the data set."""
        return getattr(config, DATASETS[self.name].root)

    def npz_file(self, split: str) -> Path:
        """The table of a split, whether it exists or not."""
        return config.DATASET_NPZ_PATH / f"{DATASETS[self.name].npz[split][0]}.npz"

    def has(self, split: str) -> bool:
        """Whether the data set has the split."""
        return split in DATASETS[self.name].npz

    def make_split(self, split: str, workers: int) -> Summary:
        """Write the table of a split."""
        if not self.root.is_dir():
            raise UserError(f"{self.root} does not exist. Put {self.name} there; see data/README.md.")
        plan = self.plan(split)
        return make_table(
            self.npz_file(split), plan.layout, plan.names, plan.job, plan.newest_change, workers, plan.is_current
        )

    @property
    def gets_iuv(self) -> bool:
        """Whether IUV images are drawn: for the tables of training, which stage dp learns from."""
        return self.has(TRAIN)

    def iuv_tables(self) -> list[Path]:
        """The tables that exist and get IUV images."""
        return [path for path in [dataset_files(self.name, TRAIN).npz_file] if path.is_file()]

    def make_iuv(self, npz_file: Path, uv_type: str, workers: int) -> Summary:
        """Draw the missing IUV images of a table, of its own meshes or else of SPIN's fits."""
        fits = fits_file(self.name) if DATASETS[self.name].fits else None
        return make_mesh_iuv(npz_file, self.root, uv_type, workers, fits)


def newest_change(*paths: Path) -> float:
    """Time of the last change to these files; infinite if one is missing."""
    return max(path.stat().st_mtime if path.is_file() else float("inf") for path in paths)
