"""The atlas: which surface point every pixel of a location map shows, and where every vertex lies in it.

Pixel (row r, column c) of an H x W map stands for texture coordinates u = c/(W-1), v = r/(H-1).
A pixel inside a triangle of the template takes that triangle. Then every texcoord claims its four
neighbouring pixels, so that a bilinear look-up at a vertex never meets an empty pixel. Two fixed sparse
matrices lead from vertices to the map and back; the network uses them as well.
Tables and file format: DecoMR (Zeng et al., CVPR 2020), `paras_h{H}_w{W}_{type}.npz`.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from utils import config
from utils.array_files.pickles import as_floats, load_npy
from utils.errors import UserError, warn
from utils.files import read_npz, require_file
from utils.objfile import ObjMesh, read_obj

INSIDE = 1e-10  # a pixel belongs to a triangle when all three barycentric weights exceed this
TEXCOORD_SLACK = 1e-6  # texcoords may leave [0, 1] only by rounding
SMALLEST_SIDE = 8  # pixels; on smaller maps the claims of texcoords cover everything


@dataclass(frozen=True)
class Atlas:
    """The tables of one atlas at one resolution H x W; T texcoords, V vertices.

    v_index: [H, W, 3] int64, vertices of the triangle that covers the pixel. bary_weights: [H, W, 3]
    float32, their weights (0 in an empty pixel). texcoords: [T, 2] float32 (u, v) in [0, 1].
    vt2v: [T] int64, the vertex of a texcoord. vt_count: [V] int64, texcoords of a vertex.
    mask: [H, W] bool, False in an empty pixel.
    """

    v_index: np.ndarray
    bary_weights: np.ndarray
    texcoords: np.ndarray
    vt2v: np.ndarray
    vt_count: np.ndarray
    mask: np.ndarray

    @property
    def resolution(self) -> tuple[int, int]:
        """(H, W) pixels."""
        height, width = self.mask.shape
        return height, width

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.vt_count)


def build_atlas(template: ObjMesh, height: int, width: int) -> Atlas:
    """Tables of the textured mesh `template` at height x width pixels."""
    _check_template(template, height, width)
    places, face_places = template.textured()
    # a texcoord that two vertices share becomes one entry for each of them; unused texcoords are dropped
    corners = np.stack([face_places, template.faces], axis=-1).reshape(-1, 2)
    pairs, corner_pair = np.unique(corners, axis=0, return_inverse=True)
    texcoords = np.clip(places[pairs[:, 0]], 0, 1).astype(np.float32)
    vt2v = pairs[:, 1].copy()
    # float32 positions from here on, so that a look-up computes exactly the same as the claims
    face_positions = texcoords[corner_pair.reshape(-1, 3)] * np.array([width - 1, height - 1], np.float64)
    pixel, triangle, weights = _rasterise(face_positions, height, width)
    v_index = np.zeros((height * width, 3), np.int64)
    bary_weights = np.zeros((height * width, 3), np.float32)
    mask = np.zeros(height * width, bool)
    v_index[pixel], bary_weights[pixel], mask[pixel] = template.faces[triangle], weights, True
    pixel, claimant = _claims(texcoords, mask, height, width)
    v_index[pixel, 0], bary_weights[pixel, 0], mask[pixel] = vt2v[claimant], 1, True
    return Atlas(
        v_index=v_index.reshape(height, width, 3),
        bary_weights=bary_weights.reshape(height, width, 3),
        texcoords=texcoords,
        vt2v=vt2v,
        vt_count=np.bincount(vt2v, minlength=len(template.vertices)),
        mask=mask.reshape(height, width),
    )


def _check_template(template: ObjMesh, height: int, width: int) -> None:
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(f"An atlas of {height} x {width} pixels is too small; use at least {SMALLEST_SIDE} a side.")
    texcoords, face_texcoords = template.textured()
    used = texcoords[np.unique(face_texcoords)]
    if not (used.min() >= -TEXCOORD_SLACK and used.max() <= 1 + TEXCOORD_SLACK):
        raise UserError(f"The atlas template has texcoords in [{used.min():.3f}, {used.max():.3f}], expected [0, 1].")
    bare = np.setdiff1d(np.arange(len(template.vertices)), template.faces)
    if bare.size:
        raise UserError(f"{bare.size} vertices of the atlas template are in no face (the first: {bare[0]}).")


def _rasterise(corners: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels strictly inside triangles; where triangles overlap, the first one counts.

    Args:
        corners: [F, 3, 2] float64, (column, row) in pixels.
    Returns:
        flat pixel ids [N], triangle ids [N], barycentric weights [N, 3].
    """
    low = np.ceil(corners.min(axis=1)).astype(np.int64)
    size = np.maximum(np.floor(corners.max(axis=1)).astype(np.int64) - low + 1, 0)
    count = size[:, 0] * size[:, 1]
    triangle = np.repeat(np.arange(len(corners)), count)  # one candidate per pixel of the bounding box
    step = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    point = low[triangle] + np.stack([step % size[triangle, 0], step // size[triangle, 0]], axis=-1)
    a, b, c = (corners[triangle, k] for k in range(3))
    doubled_area = _cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):  # a triangle without area covers no pixel
        two = np.stack([_cross(b - point, c - point), _cross(c - point, a - point)], axis=-1) / doubled_area[:, None]
        weights = np.concatenate([two, 1 - two.sum(axis=-1, keepdims=True)], axis=-1)
    inside = (weights > INSIDE).all(axis=-1)
    pixel, first = np.unique(point[inside] @ [1, width], return_index=True)
    return pixel, triangle[inside][first], weights[inside][first]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def bilinear_neighbours(texcoords: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels around each texcoord and their bilinear weights (corners aligned).

    Args:
        texcoords: [T, 2] (u, v) in [0, 1].
    Returns:
        flat pixel ids [T, 4] and weights [T, 4] float64; a pixel of weight 0 repeats another pixel.
    """
    column, row = (texcoords.astype(np.float64) * [width - 1, height - 1]).T
    left, top = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    right, bottom = np.ceil(column).astype(np.int64), np.ceil(row).astype(np.int64)
    x, y = column - left, row - top
    pixels = np.stack([top * width + left, top * width + right, bottom * width + left, bottom * width + right], axis=1)
    return pixels, np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x], axis=1)


def _claims(texcoords: np.ndarray, mask: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Empty pixels beside texcoords, and for each the texcoord with the largest bilinear weight at it."""
    pixels, weights = bilinear_neighbours(texcoords, height, width)
    claimant = np.repeat(np.arange(len(texcoords)), 4)
    order = np.lexsort((claimant, -weights.ravel(), pixels.ravel()))
    order = order[(~mask[pixels.ravel()] & (weights.ravel() > 0))[order]]
    pixel, first = np.unique(pixels.ravel()[order], return_index=True)
    return pixel, claimant[order[first]]


def map_matrix(atlas: Atlas) -> scipy.sparse.csr_matrix:
    """The matrix [H*W, V] that turns vertices into a location map (barycentric blend)."""
    pixel = np.repeat(np.arange(atlas.mask.size), 3)
    shape = (atlas.mask.size, atlas.vertex_count)
    matrix = scipy.sparse.csr_matrix((atlas.bary_weights.ravel(), (pixel, atlas.v_index.ravel())), shape, np.float64)
    matrix.eliminate_zeros()
    return matrix


def sample_matrix(atlas: Atlas) -> scipy.sparse.csr_matrix:
    """The matrix [V, H*W] that samples a location map at the vertices.

    Bilinear at 2 * texcoord - 1 with aligned corners, averaged over the texcoords of a vertex. Empty pixels
    are sampled like the others.
    """
    pixels, weights = bilinear_neighbours(atlas.texcoords, *atlas.resolution)
    weights = weights / atlas.vt_count[atlas.vt2v][:, None]
    vertex = np.repeat(atlas.vt2v, 4)
    matrix = scipy.sparse.csr_matrix((weights.ravel(), (vertex, pixels.ravel())), (atlas.vertex_count, atlas.mask.size))
    matrix.eliminate_zeros()
    return matrix


def bare_vertices(atlas: Atlas) -> np.ndarray:
    """[N]: the vertices without a pixel, because all neighbours of all their texcoords are empty."""
    pixels, weights = bilinear_neighbours(atlas.texcoords, *atlas.resolution)
    has_pixel = (atlas.mask.ravel()[pixels] & (weights > 0)).any(axis=1)
    return np.setdiff1d(np.arange(atlas.vertex_count), atlas.vt2v[has_pixel])


def get_uv_map(atlas: Atlas, vertices: np.ndarray) -> np.ndarray:
    """Vertices [V, C] -> location map [H, W, C]; empty pixels are 0."""
    return (map_matrix(atlas) @ vertices).reshape(*atlas.resolution, -1)


def resample(atlas: Atlas, uv_map: np.ndarray) -> np.ndarray:
    """Location map [H, W, C] -> vertices [V, C]."""
    return sample_matrix(atlas) @ uv_map.reshape(atlas.mask.size, -1)


def load_or_build_atlas(uv_type: str, height: int, width: int, data_dir=None) -> Atlas:
    """The atlas tables of `uv_type` ('BF' or 'SMPL'): read from their file, or built from the template.

    Nothing is written; atlas/prepare.py does that. UserError where both are missing or do not fit.
    """
    if uv_type not in config.ATLAS_TEMPLATES:
        raise UserError(f"Unknown atlas {uv_type!r}; known: {', '.join(config.ATLAS_TEMPLATES)}.")
    path = config.atlas_tables(uv_type, height, width, data_dir)
    if path.is_file():
        atlas = _load_tables(path, height, width)
        bare = bare_vertices(atlas)
        if bare.size:
            warn(
                f"{path}: no pixel belongs to {bare.size} of {atlas.vertex_count} vertices (the first: {bare[0]}), so "
                "they are misplaced. Delete the file; it is built again from the template."
            )
        return atlas
    template = config.atlas_template(uv_type, data_dir)
    require_file(template, f"The atlas {uv_type} is built from it; see data/README.md.")
    return build_atlas(read_obj(template), height, width)


def _load_tables(path, height: int, width: int) -> Atlas:
    """Read a tables file; UserError says which array is missing or does not fit."""
    remedy = "Delete the file; it is built again from the template."
    names = list(Atlas.__dataclass_fields__)
    arrays = read_npz(path, remedy)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}. {remedy}")
    for name in names:
        if arrays[name].dtype.kind not in ("iu" if name in ("v_index", "vt2v") else "biuf") or not arrays[name].size:
            raise UserError(f"{path} has {name} of type {arrays[name].dtype}, expected numbers. {remedy}")
    texcoord_count = len(arrays["vt2v"].ravel())
    expected = {
        "v_index": (height, width, 3),
        "bary_weights": (height, width, 3),
        "texcoords": (texcoord_count, 2),
        "vt2v": (texcoord_count,),
        "vt_count": (arrays["vt_count"].size,),
        "mask": (height, width),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise UserError(f"{path}: {name} has shape {arrays[name].shape}, expected {shape}. {remedy}")
    vertex_count = arrays["vt_count"].size
    for name in ("v_index", "vt2v"):
        if arrays[name].min() < 0 or arrays[name].max() >= vertex_count:
            raise UserError(f"{path}: {name} names vertices outside 0..{vertex_count - 1}. {remedy}")
    if not np.isfinite(arrays["bary_weights"]).all():
        raise UserError(f"{path}: bary_weights are not finite numbers. {remedy}")
    if not np.array_equal(np.bincount(arrays["vt2v"].astype(np.int64), minlength=vertex_count), arrays["vt_count"]):
        raise UserError(f"{path}: vt_count does not say how many texcoords of vt2v a vertex has. {remedy}")
    if not (arrays["texcoords"].min() >= 0 and arrays["texcoords"].max() <= 1):
        raise UserError(f"{path}: texcoords leave [0, 1]. {remedy}")
    return Atlas(
        v_index=arrays["v_index"].astype(np.int64),
        bary_weights=arrays["bary_weights"].astype(np.float32),
        texcoords=arrays["texcoords"].astype(np.float32),
        vt2v=arrays["vt2v"].astype(np.int64),
        vt_count=arrays["vt_count"].astype(np.int64),
        mask=arrays["mask"].astype(bool),
    )


def load_map(path, shape: tuple) -> np.ndarray:
    """Read a map derived from an atlas, .npy, as float32; UserError where it is damaged or has another shape."""
    try:
        array = as_floats(path, "values", load_npy(path))
    except UserError as error:
        raise UserError(f"{error} Delete the file; it is built again.") from error
    if array.shape != shape:
        raise UserError(f"{path} has shape {array.shape}, expected {shape}. Delete the file; it is built again.")
    return array.astype(np.float32)
