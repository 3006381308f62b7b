"""Draw the ground-truth IUV image of every row of an .npz.

The mesh of a sample is drawn over the whole image with the pinhole camera that fits its visible keypoints. Each pixel
holds (mask, 255 u, 255 v) of the surface point that it sees. Images that are newer than their sample are kept, so an
interrupted run continues.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets.columns import tidy
from datasets.preprocess.samples import SkipSample, Summary, run_samples
from utils import config
from utils.array_files.pickles import unpickle_array
from utils.camera import CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import Blocks, inside, map_npz, write_npz, write_png, write_text
from utils.objfile import read_obj
from utils.renderer import cast_mesh, iuv_image

RENEW_ADVICE = "Run the same command again, with --train_files and --eval_files."
ROWS_AT_ONCE = 10_000  # whose names are in memory at once
ATLAS_STAMP = "atlas.sha256"  # file in a folder of images: the checksum of their atlas


@dataclass(frozen=True)
class AtlasFaces:
    """The atlas as the renderer needs it: faces [F, 3] into the vertices, uv [F, 3, 2] of their corners."""

    faces: np.ndarray
    uv: np.ndarray


def load_atlas_faces(uv_type: str, num_vertices: int) -> AtlasFaces:
    """Read the template of atlas `uv_type` and check that it belongs to a body of `num_vertices`."""
    path = config.atlas_template(uv_type)
    mesh = read_obj(path)
    if mesh.texcoords is None:
        raise UserError(f"{path} has no texture coordinates (vt), so it is not an atlas.")
    if len(mesh.vertices) != num_vertices:
        raise UserError(f"{path} has {len(mesh.vertices)} vertices, the body model {num_vertices}: they do not match.")
    return AtlasFaces(mesh.faces, mesh.face_uv())


def draw_iuv(vertices, joints, keypoints, height: int, width: int, atlas: AtlasFaces) -> np.ndarray:
    """IUV image [H, W, 3] uint8 of a mesh [V, 3] whose joints [N, 3] lie at keypoints [N, 3] (x, y, visible)."""
    try:
        camera = fit_camera(joints, keypoints, height, width)
    except CameraFitError as error:
        raise SkipSample(str(error)) from error
    # rays are cast in the window of the body only, because a photograph can be much larger than the person
    projected = camera.project(vertices, height, width)
    limit = (width, height)
    left, top = np.floor(projected.min(axis=0)).clip(0, limit).astype(int)
    right, bottom = np.ceil(projected.max(axis=0) + 1).clip(0, limit).astype(int)
    window = replace(camera, centre=(camera.centre[0] - left, camera.centre[1] - top))
    iuv = np.zeros((height, width, 3), np.uint8)
    hits = cast_mesh(vertices, atlas.faces, window, bottom - top, right - left)
    iuv[top:bottom, left:right] = iuv_image(hits, atlas.uv)
    if not iuv.any():
        raise UserError("the body does not reach into the image.")
    return iuv


@dataclass(frozen=True)
class _IuvWriter:
    """Draw the IUV image of a (row, name) and write it to file `name` below root."""

    root: Path
    draw: Callable[[dict], np.ndarray]

    def __call__(self, row_and_name: tuple[dict, str]) -> None:
        row, name = row_and_name
        write_png(self.root / name, self.draw(row))


class _Rows:
    """The rows `chosen` [n] of a table as pairs (row, name of its IUV image); each is made on access."""

    def __init__(self, table: dict[str, np.ndarray], names: Callable[[dict], str], chosen: np.ndarray):
        self.table, self.names, self.chosen = table, names, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, position: int) -> tuple[dict, str]:
        row = {key: column[self.chosen[position]] for key, column in self.table.items()}
        return row, self.names(row)


class _Labels:
    """The names of the samples of such rows, for messages."""

    def __init__(self, rows: _Rows):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> str:
        return str(next(iter(self.rows[position][0].values()))).lstrip("/")


def make_iuv(
    npz_file: Path,
    root: Path,
    uv_type: str,
    workers: int,
    *,
    table: dict[str, np.ndarray],
    names: Callable[[dict], str],
    newest_change: Callable[[dict], float],
    draw: Callable[[dict], np.ndarray],
) -> Summary:
    """Draw the missing IUV images of an .npz and enter their names as `iuv_names` ('' where there is none).

    table: the columns that `names`, `newest_change` and `draw` need; these get a row of them as a dict. The first names
    the row's sample. names: row -> name of its IUV image below `root`, '' for a row that gets none. newest_change: row
    -> time of the last change to its sample. draw: row -> IUV image [H, W, 3] uint8; picklable.
    """
    check_atlas_stamp(root / f"{uv_type}_IUV_gt", config.atlas_template(uv_type))
    count = len(next(iter(table.values())))
    rows = _Rows(table, names, np.arange(count))
    # of every row: the length of its name, and whether its image must be drawn
    lengths, is_missing = np.zeros(count, int), np.zeros(count, bool)
    for index in range(count):
        row, name = rows[index]
        lengths[index] = len(name)
        if name:
            path = inside(root, name, npz_file)
            is_missing[index] = not path.is_file() or path.stat().st_mtime < newest_change(row)

    summary = Summary(f"{npz_file.stem} {uv_type} IUV")
    missing = _Rows(table, names, np.flatnonzero(is_missing))
    summary.kept = int((lengths > 0).sum()) - len(missing)
    finished = (lengths > 0) & ~is_missing
    for position, _ in run_samples(_IuvWriter(root, draw), missing, _Labels(missing), summary, workers):
        finished[missing.chosen[position]] = True
    _enter_names(npz_file, rows, finished, max(1, lengths.max(initial=0)))
    return summary


def _enter_names(npz_file: Path, rows: _Rows, finished: np.ndarray, longest: int) -> None:
    """Write the column iuv_names, with '' for rows that are not `finished` [N], unless it is there already."""
    starts = range(0, len(rows), ROWS_AT_ONCE)

    def parts():
        for start in starts:
            indices = range(start, min(start + ROWS_AT_ONCE, len(rows)))
            yield np.array([rows[index][1] if finished[index] else "" for index in indices], f"U{longest}")

    # objects, as in tables of other tools, become text and numbers
    stored = map_npz(npz_file, RENEW_ADVICE, unpickle_array)
    stored |= tidy(npz_file, {name: column for name, column in stored.items() if column.dtype.hasobject}, RENEW_ADVICE)
    objects = [name for name, column in stored.items() if column.dtype.hasobject]
    if objects:
        raise UserError(
            f"{npz_file} has {', '.join(objects)} of Python objects, which cannot be written. Leave it out."
        )
    old = stored.pop("iuv_names", None)
    if old is None or any(
        not np.array_equal(old[start : start + len(part)], part) for start, part in zip(starts, parts(), strict=True)
    ):
        write_npz(npz_file, **stored, iuv_names=Blocks((len(rows),), np.dtype(f"U{longest}"), parts()))


def check_atlas_stamp(folder: Path, template: Path) -> None:
    """Refuse to mix images of two atlases in one folder; a folder without a stamp is trusted and stamped."""
    digest = hashlib.sha256(template.read_bytes()).hexdigest()
    stamp = folder / ATLAS_STAMP
    if not stamp.is_file():
        write_text(stamp, digest + "\n")
    elif stamp.read_text().strip() != digest:
        raise UserError(f"{folder} holds images drawn with another atlas than {template}. Delete that folder first.")
