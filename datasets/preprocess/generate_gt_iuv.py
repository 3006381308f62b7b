"""Draw the ground-truth IUV image of every row of an .npz.

The mesh of a sample is drawn over the whole image with the pinhole camera that fits its visible
keypoints, and each pixel holds (mask, 255 u, 255 v) of the surface point it sees. Images that are
newer than their sample are kept, so an interrupted run continues where it stopped.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets.preprocess import up_3d
from datasets.preprocess.samples import SkipSample, Summary, run_samples
from utils import config
from utils.body_model import BodyModel, JointRegressors, pose_vertices
from utils.camera import CameraFitError, fit_camera
from utils.errors import UserError
from utils.files import write_npz, write_png, write_text
from utils.imutils import read_image
from utils.objfile import read_obj
from utils.renderer import cast_mesh, iuv_image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ATLAS_STAMP = "atlas.sha256"  # which atlas the images of a folder were drawn with


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
    return AtlasFaces(mesh.faces, mesh.texcoords[mesh.face_texcoords])


def iuv_name(image_name: str, centre: np.ndarray, uv_type: str) -> str:
    """Name of the IUV image, relative to the folder of the images."""
    return f"{uv_type}_IUV_gt/{image_name.removesuffix('.png')}_{round(centre[0])}_{round(centre[1])}.png"


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image; a PNG tells them in its header without being decoded."""
    if path.is_file():
        with open(path, "rb") as stream:
            header = stream.read(24)
        if header[:8] == PNG_SIGNATURE and len(header) == 24:
            width, height = struct.unpack(">II", header[16:24])
            return height, width
    return read_image(path, up_3d.RENEW_ADVICE).shape[:2]


def draw_iuv(vertices, joints, keypoints, height: int, width: int, atlas: AtlasFaces) -> np.ndarray:
    """IUV image [H, W, 3] uint8 of a mesh [V, 3] whose joints [N, 3] lie at keypoints [N, 3] (x, y, visible)."""
    try:
        camera = fit_camera(joints, keypoints, height, width)
    except CameraFitError as error:
        raise SkipSample(str(error)) from error
    # only the window of the body is cast: photos can be many times larger than the person in them
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
class IuvMaker:
    """Draw and write the IUV image of a row (dict of an .npz row with its iuv_name)."""

    root: Path
    body: BodyModel
    regressors: JointRegressors
    atlas: AtlasFaces

    def __call__(self, row: dict) -> str:
        height, width = image_size(self.root / row["imgname"])
        vertices = pose_vertices(self.body, row["pose"], row["shape"])
        keypoints = row["part"][: up_3d.NUM_KEYPOINTS]
        joints = self.regressors.joints(vertices)[: up_3d.NUM_KEYPOINTS]
        write_png(self.root / row["iuv_name"], draw_iuv(vertices, joints, keypoints, height, width, self.atlas))
        return row["iuv_name"]


def make_iuv(npz_file: Path, uv_type: str, body: BodyModel, regressors: JointRegressors, workers: int) -> Summary:
    """Draw the missing IUV images of an UP-3D npz and enter their names as `iuv_names` ('' where there is none)."""
    root = config.UP_3D_ROOT
    atlas = load_atlas_faces(uv_type, len(body.v_template))
    check_atlas_stamp(root / f"{uv_type}_IUV_gt", config.atlas_template(uv_type))
    with np.load(npz_file, allow_pickle=False) as archive:
        table = {key: archive[key] for key in archive.files}
    images = [name.lstrip("/") for name in table["imgname"].tolist()]
    names = [iuv_name(image, centre, uv_type) for image, centre in zip(images, table["center"], strict=True)]

    summary = Summary(f"{npz_file.stem} {uv_type} IUV")
    missing = [
        i for i, (image, name) in enumerate(zip(images, names, strict=True)) if not is_current(root, image, name)
    ]
    summary.kept = len(names) - len(missing)
    rows = [
        {"imgname": images[i], "iuv_name": names[i]} | {key: table[key][i] for key in ("part", "pose", "shape")}
        for i in missing
    ]
    finished = set(names) - {names[i] for i in missing}
    for _, name in run_samples(
        IuvMaker(root, body, regressors, atlas), rows, [images[i] for i in missing], summary, workers
    ):
        finished.add(name)

    iuv_names = np.array([name if name in finished else "" for name in names])
    if table.get("iuv_names", np.array([])).tolist() != iuv_names.tolist():
        write_npz(npz_file, **(table | {"iuv_names": iuv_names}))
    return summary


def is_current(root: Path, image_name: str, name: str) -> bool:
    """True if the IUV image exists and is newer than the files of its sample."""
    path = root / name
    return path.is_file() and path.stat().st_mtime >= up_3d.newest_change(root, image_name)


def check_atlas_stamp(folder: Path, template: Path) -> None:
    """Refuse to mix images of two atlases in one folder; a folder without a stamp is trusted and stamped."""
    digest = hashlib.sha256(template.read_bytes()).hexdigest()
    stamp = folder / ATLAS_STAMP
    if not stamp.is_file():
        write_text(stamp, digest + "\n")
    elif stamp.read_text().strip() != digest:
        raise UserError(f"{folder} holds images drawn with another atlas than {template}. Delete that folder first.")
