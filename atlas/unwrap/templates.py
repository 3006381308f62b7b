"""Make an atlas for any closed, left-right symmetric body mesh: one island without inner borders.

The body (y up, facing +z) is cut open along hidden lines, its half x >= 0 is laid flat into the left
half of the unit square, and the other half is the mirror image: the mirror partner of a vertex at
(u, v) lies at (1 - u, v). The idea of a boundary-free atlas is DecoMR's (Zeng et al., CVPR 2020).
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from atlas.unwrap.cut import CutHalf, cut_half
from atlas.unwrap.flatten import flatten, triangle_areas
from atlas.unwrap.outline import body_outline
from utils import config
from utils.errors import UserError
from utils.objfile import ObjMesh, read_obj, write_obj

DECIMALS = 9  # of texcoords in an .obj file; texcoords are rounded first, so that 1 - u is exact in the file
# the ordinary atlas: cost limit of its islands, and their packing, at least one pixel apart at R = 128
ISLAND_COST, ISLAND_PIXELS, ISLAND_PADDING = 8.0, 256, 4


def unwrap(mesh: ObjMesh) -> ObjMesh:
    """The boundary-free atlas of a body mesh: the same vertices and faces with texcoords in [0.02, 0.98]^2.

    UserError says what and where when the mesh is open, not manifold, of higher genus or asymmetric.
    """
    half = cut_half(mesh.vertices, mesh.faces)
    points = flatten(half.positions, half.left_faces, half.faces, half.border, half.crotch, body_outline())
    textured = _mirror(mesh, half, np.round(points, DECIMALS))
    if triangle_areas(textured.face_uv()).min() <= 0:
        raise UserError("The body cannot be laid flat at the precision of an .obj file: some triangles are too thin.")
    return textured


def _mirror(mesh: ObjMesh, half: CutHalf, points: np.ndarray) -> ObjMesh:
    """Put the flat half and its mirror image together; they share the points of the axis."""
    off_axis = np.ones(len(points), bool)
    off_axis[half.border[: half.crotch + 1]] = False
    image = np.arange(len(points))
    image[off_axis] = len(points) + np.arange(off_axis.sum())
    mirrored = np.stack([1 - points[off_axis, 0], points[off_axis, 1]], axis=1)
    face_texcoords = np.zeros_like(mesh.faces)
    face_texcoords[half.left_index] = half.left_faces
    face_texcoords[half.right_index] = image[half.right_faces]
    return ObjMesh(mesh.vertices, mesh.faces, np.concatenate([points, mirrored]).round(DECIMALS), face_texcoords)


def unwrap_islands(mesh: ObjMesh) -> ObjMesh:
    """An ordinary atlas of several islands (by the xatlas library), texcoords in [0, 1]."""
    import xatlas  # here: only the generated body needs it, and it has no wheel for Linux on ARM64

    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_cost = ISLAND_COST
    packing.resolution, packing.padding = ISLAND_PIXELS, ISLAND_PADDING
    atlas.generate(charts, packing)
    source, face_texcoords, texcoords = atlas[0]
    if not np.array_equal(source[face_texcoords], mesh.faces):
        raise RuntimeError("xatlas returned the triangles in another order")
    return ObjMesh(mesh.vertices, mesh.faces, texcoords.astype(np.float64).clip(0, 1), face_texcoords.astype(np.int64))


def atlas_makers() -> dict[str, Callable[[ObjMesh], ObjMesh]]:
    """The functions that make atlas templates, by uv_type; without the library xatlas only the one of BF."""
    makers: dict[str, Callable[[ObjMesh], ObjMesh]] = {"BF": unwrap}
    if importlib.util.find_spec("xatlas"):
        makers["SMPL"] = unwrap_islands
    return makers


def write_atlases(data_root) -> None:
    """Write the atlas templates of the body in `data_root`/reference_mesh.obj into its uv_sampler folder.

    Tables of earlier templates are removed; they are built again when needed. Prints a line if xatlas is missing.
    """
    mesh = read_obj(Path(data_root) / config.REFERENCE_MESH.name)
    for uv_type, make in atlas_makers().items():
        write_obj(config.atlas_template(uv_type, data_root), make(ObjMesh(mesh.vertices, mesh.faces)))
        for pattern in (f"uv_sampler/paras_*_{uv_type}.npz", f"{uv_type}_ref_map_*.npy", f"weight_p24_*_{uv_type}.npy"):
            for stale in Path(data_root).glob(pattern):
                stale.unlink()
    if "SMPL" not in atlas_makers():
        print("xatlas is not installed (it has no wheel for Linux on ARM64; with a C++ compiler `pip install xatlas` "
              "builds it): the ordinary atlas, --uv_type SMPL, is left out.")  # fmt: skip
