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

from datasets.preprocess.samples import SkipSample, Summary, run_samples
from utils import config
from utils.camera import CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import inside, read_npz, write_npz, write_png, write_text
from utils.objfile import read_obj
from utils.renderer import cast_mesh, iuv_image

RENEW_ADVICE = "Run the same command again, with --train_files and --eval_files."
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
    """The chosen rows of a table as pairs (row, name of its IUV image); each is made on access."""

    def __init__(self, table: dict, names: list[str], chosen: list[int]):
        self.table, self.names, self.chosen = table, names, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, position: int) -> tuple[dict, str]:
        index = self.chosen[position]
        return {key: column[index] for key, column in self.table.items()}, self.names[index]


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

    table: the columns that `names`, `newest_change` and `draw` need; these get a row of them as a dict. names: row ->
    name of its IUV image below `root`, '' for a row that gets none. newest_change: row -> time of the last change to
    its sample. draw: row -> IUV image [H, W, 3] uint8; picklable.
    """
    check_atlas_stamp(root / f"{uv_type}_IUV_gt", config.atlas_template(uv_type))
    first = next(iter(table.values()))
    iuv_names: list[str] = []
    missing: list[int] = []
    for index in range(len(first)):
        row = {key: column[index] for key, column in table.items()}
        iuv_names.append(names(row))
        if iuv_names[-1]:
            path = inside(root, iuv_names[-1], npz_file)
            if not path.is_file() or path.stat().st_mtime < newest_change(row):
                missing.append(index)

    summary = Summary(f"{npz_file.stem} {uv_type} IUV")
    summary.kept = sum(map(bool, iuv_names)) - len(missing)
    labels = [str(first[index]).lstrip("/") for index in missing]
    finished = np.ones(len(iuv_names), bool)
    finished[missing] = False
    rows = _Rows(table, iuv_names, missing)
    for position, _ in run_samples(_IuvWriter(root, draw), rows, labels, summary, workers):
        finished[missing[position]] = True

    column = np.where(finished, iuv_names, "")
    stored = read_npz(npz_file, RENEW_ADVICE)
    if "iuv_names" not in stored or not np.array_equal(stored["iuv_names"], column):
        write_npz(npz_file, **(stored | {"iuv_names": column}))
    return summary


def check_atlas_stamp(folder: Path, template: Path) -> None:
    """Refuse to mix images of two atlases in one folder; a folder without a stamp is trusted and stamped."""
    digest = hashlib.sha256(template.read_bytes()).hexdigest()
    stamp = folder / ATLAS_STAMP
    if not stamp.is_file():
        write_text(stamp, digest + "\n")
    elif stamp.read_text().strip() != digest:
        raise UserError(f"{folder} holds images drawn with another atlas than {template}. Delete that folder first.")
