"""Read the table of a data set and convert its columns to the types and shapes that items use.

Columns are mapped (utils.array_files.arrays.map_members), so a table of any length opens in little memory, and
processes share it. Different tools write text as bytes or objects, a number per row as [N, 1], a pose as [N, 24, 3].
Columns with other content, such as another set of joints or lengths in millimetres, are refused in a line that says how
to convert them.
"""

import math
import os
from pathlib import Path

import numpy as np

from datasets.registry import BRING_IT
from utils.array_files.arrays import blocks
from utils.array_files.pickles import unpickle_array
from utils.errors import UserError
from utils.files import map_npz
from utils.joints import SMPL_JOINTS, TRAINING_JOINTS, limb_bones

TEXT = ("imgname", "videoname", "iuv_names", "maskname", "partname")
SOURCES = ("imgname", "videoname")  # name the picture, so they must not be empty
# column of numbers -> shape of its rows
SHAPES = {
    "center": (2,), "scale": (), "part": (24, 3), "part_smpl": (24, 3), "S": (24, 4), "S_smpl": (24, 4),
    "pose": (72,), "shape": (10,), "framenum": (), "fit_joint_error": (),
    "has_smpl": (), "has_pose_3d": (), "has_pose_3d_smpl": (),
}  # fmt: skip
POSE_OF_JOINTS = (24, 3)
FINITE = ("center", "scale")  # determine the crop, so they must be finite
GENDER = "gender"
KNOWN = (*TEXT, *SHAPES, GENDER)
# spelling of a gender -> 'm', 'f' or '' for neutral; the numbers are those in a batch
GENDER_WORDS = {"m": "m", "male": "m", "f": "f", "female": "f", "n": "", "neutral": "", "": ""}
GENDER_NUMBERS: dict[float, str] = {0: "m", 1: "f", -1: ""}

# column of 3-D joints -> pairs of them with a bone between them
BONES = {"S": limb_bones(TRAINING_JOINTS), "S_smpl": limb_bones(SMPL_JOINTS)}
FLAGS = {"S": "has_pose_3d", "S_smpl": "has_pose_3d_smpl"}
BONE_ROWS = 10_000  # rows, spread over the table, whose bones tell the unit of length
# Bones are 0.06 m (an infant's lower arm) to 0.6 m (a tall person's thigh) long. These limits lie halfway, in ratios,
# between metres and centimetres and between centimetres and millimetres.
LONGEST_IN_METRES, LONGEST_IN_CENTIMETRES = 3, 80


def read_table(npz_file: Path, prepare: str, needed: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns [N, ...] of a data set's npz file; UserError if one of `needed` is missing or a column does not fit.

    prepare: how to make or get the file. The advice to delete it is left out for files that the user brought.
    """
    if not npz_file.is_file():
        raise UserError(f"{npz_file} does not exist. {prepare}")
    advice = prepare if prepare == BRING_IT else f"Delete it. {prepare}"
    table = map_npz(npz_file, advice, unpickle_array, KNOWN)
    missing = [key for key in needed if key not in table]
    if missing:
        raise UserError(f"{npz_file} has no {', '.join(missing)}. {advice}")
    count = len(np.atleast_1d(table[needed[0]]))
    uneven = [key for key, column in table.items() if column.shape[:1] != (count,)]
    if uneven or not count:
        raise UserError(f"{npz_file} has {count} images, but another number of {', '.join(uneven) or 'rows'}.")
    return tidy(npz_file, table, advice)


def tidy(npz_file: Path, table: dict[str, np.ndarray], advice: str) -> dict[str, np.ndarray]:
    """The columns [N, ...] of a table with the types and shapes above; genders as 'm', 'f' or ''.

    Columns that are not in KNOWN are not changed. The UserError names the column that does not fit, the row if it is a
    single one, and ends with `advice`.
    """
    tidied = {}
    for name, column in table.items():
        where = f"{npz_file} has {name}"
        if name in TEXT:
            column = _text(where, column, name in SOURCES, advice)
        elif name == GENDER:
            column = _genders(where, column, advice)
        elif name in SHAPES:
            column = _numbers(where, name, column, advice)
        tidied[name] = column
    for name in BONES.keys() & tidied.keys():
        _check_metres(f"{npz_file} has {name}", tidied[name], tidied.get(FLAGS[name]), BONES[name], advice)
    return tidied


def _values(column: np.ndarray) -> list:
    """One value per row: bytes as text, and '' for None and NaN, which other tools write for a missing value."""
    values = [value.item() if isinstance(value, np.generic) else value for value in column.tolist()]
    values = [os.fsdecode(value) if isinstance(value, bytes) else value for value in values]
    return ["" if value is None or (isinstance(value, float) and math.isnan(value)) else value for value in values]


def _one_per_row(where: str, column: np.ndarray, advice: str) -> np.ndarray:
    """[N, 1] or [N] -> [N]."""
    if column.size != len(column):
        raise UserError(f"{where} of shape {column.shape}, expected one value per row. {advice}")
    return column.reshape(len(column))


def _text(where: str, column: np.ndarray, is_needed: bool, advice: str) -> np.ndarray:
    column = _one_per_row(where, column, advice)
    if column.dtype.kind != "U":  # other types are converted in memory
        values = _values(column)
        for row, value in enumerate(values):
            if not isinstance(value, str):
                raise UserError(f"{where} of {str(value)[:40]!r} in row {row}, expected text. {advice}")
        column = np.array(values)
    if is_needed and len(filled := filled_rows(column)) < len(column):
        row = int(np.setdiff1d(np.arange(len(column)), filled)[0])
        raise UserError(f"{where} of '' in row {row}, expected text. {advice}")
    return column


def filled_rows(column: np.ndarray) -> np.ndarray:
    """The numbers of the rows of a column of text [N] that are not ''."""
    return np.concatenate([np.zeros(0, int), *(start + np.flatnonzero(part != "") for start, part in blocks(column))])


def _genders(where: str, column: np.ndarray, advice: str) -> np.ndarray:
    column = _one_per_row(where, column, advice)
    return np.concatenate([_gender_letters(where, start, part, advice) for start, part in blocks(column)])


def _gender_letters(where: str, start: int, part: np.ndarray, advice: str) -> np.ndarray:
    """Rows from number `start` on, as 'm', 'f' or ''."""
    values = _values(part)
    letters = {value: _gender_letter(value) for value in dict.fromkeys(values)}
    for value, letter in letters.items():
        if letter is None:
            raise UserError(
                f"{where} of {str(value)[:40]!r} in row {start + values.index(value)}, expected m or male, f or "
                f"female, neutral or nothing, or the numbers 0 (male), 1 (female), -1 (neutral). {advice}"
            )
    return np.array([letters[value] for value in values], "U1")


def _gender_letter(value) -> str | None:
    if isinstance(value, str):
        return GENDER_WORDS.get(value.strip().lower())
    return GENDER_NUMBERS.get(value) if type(value) in (int, float) else None


def _numbers(where: str, name: str, column: np.ndarray, advice: str) -> np.ndarray:
    expected = (len(column), *SHAPES[name])
    if column.dtype.hasobject:
        try:
            column = np.array(column.tolist(), np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{where} of objects that are no numbers of one shape: {error}. {advice}") from error
    shapes = [_without_ones(expected)] + ([POSE_OF_JOINTS] if name == "pose" else [])
    if column.dtype.kind not in "biuf" or _without_ones(column.shape) not in shapes:
        raise UserError(
            f"{where} of shape {column.shape} and type {column.dtype}, expected numbers of shape {expected}"
            f"{_conversion(name, column.shape[1:])}. {advice}"
        )
    column = column.reshape(expected)
    if name == "framenum" and column.dtype.kind not in "iu":
        whole = np.where(np.isfinite(column), column, 0).astype(np.int64)
        _require_rows(where, column, whole == column, "a whole number", advice)
        column = whole
    if name in FINITE:
        right = np.isfinite(column) & (column > 0 if name == "scale" else True)
        _require_rows(where, column, right, "finite numbers", advice)
    return column


def _without_ones(shape: tuple) -> tuple:
    """The shape of a row (without the first axis), without axes of length 1."""
    return tuple(side for side in shape[1:] if side != 1)


def _require_rows(where: str, column: np.ndarray, right: np.ndarray, expected: str, advice: str) -> None:
    right = right.reshape(len(column), -1).all(axis=1)
    if not right.all():
        row = int(np.argmin(right))
        raise UserError(f"{where} of {column[row]} in row {row}, expected {expected}. {advice}")


def _conversion(name: str, shape: tuple) -> str:
    """How to convert rows of another shape, if that is known."""
    expected = SHAPES[name]
    if name == "pose" and shape in ((24, 3, 3), (216,)):
        return ": 24 axis-angle triples, which scipy's Rotation.as_rotvec makes of rotation matrices"
    if name == "shape" and len(shape) == 1 and shape > expected:
        return ": keep the first 10, shape[:, :10]"
    if len(expected) != 2 or len(shape) != 2:
        return ""
    if shape[0] != expected[0]:
        of_spin = f", which of SPIN's 49 are the last, {name}[:, 25:]" if shape[0] == 49 else ""
        return f": 24 joints in the order that data/README.md gives{of_spin}; confidence 0 for those you lack"
    if shape[1] == expected[1] - 1:
        return ": append the confidence, 1 for joints that are given and 0 for others"
    return ""


def _check_metres(where: str, joints: np.ndarray, flags: np.ndarray | None, bones: list, advice: str) -> None:
    """Refuse joints [N, 24, 4] whose bones are too long for metres.

    Lengths of bones tell the unit whatever root the positions are relative to. Their median is taken, because single
    joints may be wrong.
    """
    ends = np.array(bones)
    counts = np.ones(len(joints), bool) if flags is None else flags > 0
    found = [start + np.flatnonzero(_trusted(part, ends).any(axis=1)) for start, part in blocks(joints)]
    rows = np.concatenate([np.zeros(0, int), *found])
    rows = rows[counts[rows]]
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), BONE_ROWS)).astype(int))]
    parts = [part[rows[(start <= rows) & (rows < start + len(part))] - start] for start, part in blocks(joints)]
    chosen = np.concatenate([np.zeros((0, *joints.shape[1:])), *parts])
    bone_vectors = chosen[:, ends[:, 0], :3] - chosen[:, ends[:, 1], :3]
    lengths = np.linalg.norm(bone_vectors, axis=2)[_trusted(chosen, ends)]
    if not lengths.size or np.median(lengths) <= LONGEST_IN_METRES:
        return
    unit, factor = ("centimetres", 100) if np.median(lengths) <= LONGEST_IN_CENTIMETRES else ("millimetres", 1000)
    raise UserError(
        f"{where} with arm and leg bones of {np.median(lengths):.0f} in the median, expected metres: divide x, y, z by "
        f"{factor} if these are {unit}. {advice}"
    )


def _trusted(joints: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """[n, bones]: whether both ends of a bone are trusted, for joints [n, 24, 4] and pairs of joints [bones, 2]."""
    trusted = (joints[..., 3] > 0) & np.isfinite(joints).all(axis=2)
    return trusted[:, ends].all(axis=2)
