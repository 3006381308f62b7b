"""SPIN's fits of the body model to the keypoints of in-the-wild sets: their meshes, with --use_spin_fit.

A file of fits has a row for each row of its data set's table, in the same order. SPIN: Kolotouros et al., "Learning to
Reconstruct 3D Human Pose and Shape via Model-fitting in the Loop", ICCV 2019.
"""

from pathlib import Path

from datasets.columns import tidy
from utils.array_files.pickles import unpickle_array
from utils.errors import UserError
from utils.files import read_npz

NEEDED = ("pose", "shape")
COLUMNS = (*NEEDED, "fit_joint_error", "has_smpl")
ADVICE = "Download SPIN's fits again; see data/README.md."


def read_fits(fits_file: Path, npz_file: Path, count: int) -> dict:
    """The columns [N, ...] of a file of fits that take the place of those of npz_file, a table of `count` rows."""
    fits = tidy(fits_file, read_npz(fits_file, ADVICE, unpickle_array, COLUMNS), ADVICE)
    missing = [name for name in NEEDED if name not in fits]
    if missing:
        raise UserError(f"{fits_file} has no {', '.join(missing)}. {ADVICE}")
    for name, column in fits.items():
        if len(column) != count:
            raise UserError(
                f"{fits_file} has {name} of {len(column)} rows, but {npz_file} has {count}: they do not belong "
                "together. Take both from SPIN, or make the table from the data set's original files."
            )
    return fits
