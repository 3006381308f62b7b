"""IUV images of photographs whose rows have a mesh, their own or SPIN's fit, and keypoints that tell the camera."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from datasets.columns import GENDER, read_table
from datasets.preprocess.generate_gt_iuv import RENEW_ADVICE, AtlasFaces, draw_iuv, load_atlas_faces, make_iuv
from datasets.preprocess.samples import Summary
from datasets.spin_fits import read_fits
from utils import config
from utils.body_model import (
    GENDERS,
    BodyModel,
    JointRegressors,
    load_body_model,
    load_joint_regressors,
    load_model_of_gender,
    pose_vertices,
)
from utils.errors import UserError
from utils.joints import LSP_JOINTS
from utils.media.image_files import image_size

NUM_KEYPOINTS = len(LSP_JOINTS)


@dataclass(frozen=True)
class MeshDrawer:
    """Draw the IUV image of a row. bodies: gender of the row, '' if it has none -> its body model."""

    root: Path
    bodies: dict[str, BodyModel]
    regressors: JointRegressors
    atlas: AtlasFaces

    def __call__(self, row: dict) -> np.ndarray:
        height, width = image_size(self.root / str(row["imgname"]).lstrip("/"), RENEW_ADVICE)
        vertices = pose_vertices(self.bodies[str(row.get(GENDER, ""))], row["pose"], row["shape"])
        joints = self.regressors.joints(vertices)[:NUM_KEYPOINTS]
        return draw_iuv(vertices, joints, row["part"][:NUM_KEYPOINTS], height, width, self.atlas)


def iuv_name(row: dict, uv_type: str) -> str:
    """Name of the IUV image of a row, relative to the folder of the images; '' if the row has no mesh."""
    if not row.get("has_smpl", 1) > 0:
        return ""
    stem = PurePosixPath(str(row["imgname"]).lstrip("/")).with_suffix("")
    return f"{uv_type}_IUV_gt/{stem}_{round(row['center'][0])}_{round(row['center'][1])}.png"


def make_mesh_iuv(
    npz_file: Path, root: Path, uv_type: str, workers: int, fits_file: Path | None = None, newest_change=None
) -> Summary:
    """Draw the missing IUV images of a table whose images lie below `root`.

    fits_file: SPIN's fits, used if the table has no meshes. newest_change: row -> time of the last change to its
    sample; without it, to its image and the fits.
    """
    table = read_table(npz_file, RENEW_ADVICE, ("imgname", "center", "part"))
    changed = 0.0
    if "pose" not in table:
        if fits_file is None or not fits_file.is_file():
            place = f", and SPIN's fits, {fits_file}, do not exist" if fits_file else ""
            raise UserError(f"no IUV images can be drawn: {npz_file} has no meshes (pose, shape){place}.")
        table |= read_fits(fits_file, npz_file, len(table["center"]))
        changed = fits_file.stat().st_mtime
    body = load_body_model(config.SMPL_FILE)
    genders = set(table[GENDER].tolist()) - {""} if GENDER in table else set()
    bodies = {"": body} | {gender: load_model_of_gender(GENDERS[gender]) for gender in sorted(genders)}
    atlas = load_atlas_faces(uv_type, len(body.v_template))
    optional = [name for name in (GENDER, "has_smpl") if name in table]
    return make_iuv(
        npz_file, root, uv_type, workers,
        table={name: table[name] for name in ("imgname", "center", "part", "pose", "shape", *optional)},
        names=partial(iuv_name, uv_type=uv_type),
        newest_change=newest_change or partial(_newest_change, root, changed),
        draw=MeshDrawer(root, bodies, load_joint_regressors(model=body), atlas),
    )  # fmt: skip


def _newest_change(root: Path, changed: float, row: dict) -> float:
    path = root / str(row["imgname"]).lstrip("/")
    return max(changed, path.stat().st_mtime) if path.is_file() else float("inf")
