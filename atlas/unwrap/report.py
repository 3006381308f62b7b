"""The quality of an atlas: its distortion in figures, and a picture of the body in it.

The figure that matters for reconstructions is the round trip: the mean distance that vertices
move when the mesh is written to a location map and read back.
"""

import cv2
import numpy as np
import scipy.sparse
import scipy.sparse.csgraph

from atlas.tables import build_atlas, get_uv_map, resample
from atlas.unwrap.flatten import triangle_areas
from utils.objfile import ObjMesh

ROUND_TRIP_RESOLUTIONS = (64, 128)  # pixels of LNet's input map and of its location map
STRONG = 2.0  # area ratio at which the distortion colours saturate
EDGE_COLOUR = (70, 60, 60)


def distortion_report(mesh: ObjMesh) -> dict:
    """Figures of the textured mesh `mesh`.

    vertices, texcoords, triangles; islands; flipped (triangles without positive area); coverage of
    the unit square; area_distortion (standard deviation of log area ratio, by area); area_ratio_1 and
    _99 (percentiles, 1 = the mean scale); stretch (median ratio of the two singular values);
    round_trip_R and round_trip_R_max, millimetres, mean and maximum over the vertices.
    """
    areas = triangle_areas(mesh.vertices[mesh.faces])
    texcoords, corners = mesh.textured()[0], mesh.face_uv()
    planar = triangle_areas(corners)
    ratio = area_ratios(mesh)
    logarithm = np.log(np.maximum(ratio, 1e-12))
    report = {
        "vertices": len(mesh.vertices),
        "texcoords": len(texcoords),
        "triangles": len(mesh.faces),
        "islands": _count_islands(mesh),
        "flipped": int((planar <= 0).sum()),
        "coverage": float(np.abs(planar).sum()),
        "area_distortion": float(np.sqrt(np.average(logarithm**2, weights=areas))),
        "area_ratio_1": float(np.percentile(ratio, 1)),
        "area_ratio_99": float(np.percentile(ratio, 99)),
        "stretch": float(np.median(_stretch(mesh.vertices[mesh.faces], corners))),
    }
    for resolution in ROUND_TRIP_RESOLUTIONS:
        error = round_trip_error(mesh, resolution)
        report[f"round_trip_{resolution}"] = float(error.mean())
        report[f"round_trip_{resolution}_max"] = float(error.max())
    return report


def area_ratios(mesh: ObjMesh) -> np.ndarray:
    """Area in the atlas per area of the body for each triangle [F], 1 = the mean of the whole body."""
    areas = triangle_areas(mesh.vertices[mesh.faces])
    planar = np.abs(triangle_areas(mesh.face_uv()))
    return planar / np.maximum(areas, 1e-9 * areas.sum()) * areas.sum() / planar.sum()


def round_trip_error(mesh: ObjMesh, resolution: int) -> np.ndarray:
    """Distance [V] in millimetres of the vertices from themselves after mesh -> map -> mesh."""
    atlas = build_atlas(mesh, resolution, resolution)
    return 1000 * np.linalg.norm(resample(atlas, get_uv_map(atlas, mesh.vertices)) - mesh.vertices, axis=1)


def _count_islands(mesh: ObjMesh) -> int:
    texcoords, corners = mesh.textured()
    start, end = corners.ravel(), np.roll(corners, 1, axis=1).ravel()
    links = scipy.sparse.coo_matrix((np.ones(len(start)), (start, end)), (len(texcoords),) * 2)
    return int(scipy.sparse.csgraph.connected_components(links, directed=False)[0])


def _stretch(corners: np.ndarray, planar: np.ndarray) -> np.ndarray:
    """Ratio [F] >= 1 of the singular values of the map of each triangle [F, 3, 3] -> [F, 3, 2]."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    metric = np.stack([(one * one).sum(1), (one * two).sum(1), (two * two).sum(1)])
    one, two = planar[:, 1] - planar[:, 0], planar[:, 2] - planar[:, 0]
    flat = np.stack([(one * one).sum(1), (one * two).sum(1), (two * two).sum(1)])
    # trace and determinant of metric^-1 flat give its eigenvalues, the squared singular values
    determinant = np.maximum(metric[0] * metric[2] - metric[1] ** 2, 1e-24)
    trace = (metric[2] * flat[0] - 2 * metric[1] * flat[1] + metric[0] * flat[2]) / determinant
    product = (flat[0] * flat[2] - flat[1] ** 2) / determinant
    root = np.sqrt(np.maximum(trace**2 / 4 - product, 0))
    return np.sqrt((trace / 2 + root) / np.maximum(trace / 2 - root, 1e-12))


def atlas_picture(mesh: ObjMesh, size: int) -> np.ndarray:
    """Two pictures of the atlas side by side: the body in relief, and its area distortion with the mesh's edges.

    Returns:
        [size, 2 * size, 3] uint8, BGR. Right: white where the scale is the mean, red where the map
        enlarges the body, blue where it shrinks it (saturated at factor 2).
    """
    atlas = build_atlas(mesh, size, size)
    relief = get_uv_map(atlas, _relief_colours(mesh))
    relief[~atlas.mask] = 255
    distortion = np.full((size, size, 3), 255, np.uint8)
    strength = np.clip(np.log(np.maximum(area_ratios(mesh), 1e-12)) / np.log(STRONG), -1, 1)[:, None]
    colours = 255 - np.abs(strength) * np.where(strength > 0, [200, 170, 20], [20, 130, 200])
    corners = np.round(mesh.face_uv() * (size - 1) * 16).astype(np.int32)  # 4 fractional bits
    for corner, colour in zip(corners, colours.tolist(), strict=True):
        cv2.fillConvexPoly(distortion, corner, colour, cv2.LINE_AA, 4)
    cv2.polylines(distortion, list(corners), True, EDGE_COLOUR, 1, cv2.LINE_AA, 4)
    return np.concatenate([relief.clip(40, 255).astype(np.uint8), distortion], axis=1)


def _relief_colours(mesh: ObjMesh) -> np.ndarray:
    """Colours [V, 3] in 0..255, BGR, of a body lit from the front, tinted by height."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normals = np.zeros_like(mesh.vertices)
    for k in range(3):
        np.add.at(normals, mesh.faces[:, k], np.cross(b - a, c - a))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    light = 0.74 + 0.36 * normals @ np.array([0.35, 0.45, 0.82])
    height = (mesh.vertices[:, 1:2] - mesh.vertices[:, 1].min()) / np.ptp(mesh.vertices[:, 1])
    tint = height * np.array([205, 215, 240]) + (1 - height) * np.array([230, 205, 150])
    return tint * light[:, None]
