"""The synthetic benchmarks by the options of synthetic/generate.py; a new one is added here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from synthetic.benchmarks import coco, lsp, mpii
from synthetic.benchmarks.people import MOST_PEOPLE


@dataclass(frozen=True)
class Writer:
    """How the original files of a data set are written.

    root: constant of utils.config, its folder. write: called with this folder, the number that the option gives, seed,
    workers and clothing; finished files are kept, and the result does not depend on the workers. counted: what the
    number counts, for --help. most: the largest number.
    """

    root: str
    write: Callable[[Path, int, int, int, str], None]
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
}
