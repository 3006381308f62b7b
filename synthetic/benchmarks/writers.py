"""The synthetic benchmarks by the options of synthetic/generate.py; a new one is added here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from synthetic.benchmarks import coco, h36m, h36m_train, lsp, mpi_inf_3dhp, mpii, pw3d
from synthetic.benchmarks.people import MOST_PEOPLE
from synthetic.stages import Collection


@dataclass(frozen=True)
class Writer:
    """How the original files of a data set are written.

    root: constant of utils.config, its folder. write: called with this folder, the number that the option gives, the
    collection and the number of processes, on which the result does not depend; finished files are kept. counted: what
    the number counts, for --help. most: the largest number.
    """

    root: str
    write: Callable[[Path, int, Collection, int], None]
    counted: str
    most: int = MOST_PEOPLE


# option -> writer
WRITERS = {
    "coco": Writer("COCO_ROOT", coco.write, "training photographs in the format of COCO 2014"),
    "mpii": Writer("MPII_ROOT", mpii.write, "training photographs in the format of MPII"),
    "lsp": Writer("LSP_ROOT", lsp.write_test, "test photographs in the format of LSP and UPi-S1h", lsp.NUM_TRAINING),
    "lsp_orig": Writer(
        "LSP_ORIGINAL_ROOT", lsp.write_original, "training photographs in the format of LSP original", lsp.NUM_TRAINING
    ),
    "lspet": Writer("LSPET_ROOT", lsp.write_extended, "training photographs in the format of HR-LSPET"),
    "h36m": Writer(
        "H36M_ROOT", h36m.write, "sequences before four cameras in the format of Human3.6M, for its test", h36m.MOST
    ),
    "h36m_train": Writer("H36M_ROOT", h36m_train.write, "training photographs of Human3.6M, with the table of meshes"),
    "mpi_inf_3dhp": Writer(
        "MPI_INF_3DHP_ROOT", mpi_inf_3dhp.write,
        "training sequences before eight cameras in the format of MPI-INF-3DHP; as many test sequences, at most 6",
        mpi_inf_3dhp.MOST,
    ),
    "pw3d": Writer("PW3D_ROOT", pw3d.write, "test sequences in the format of 3DPW", pw3d.MOST),
}  # fmt: skip
