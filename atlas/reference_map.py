"""The reference map: the location map of the body at rest, which the LNet receives as an input.

Source: DecoMR (Zeng et al., CVPR 2020). It has the resolution of the warp, 64 x 64 pixels by default.
"""

from pathlib import Path

import numpy as np

from atlas.tables import get_uv_map, load_map, load_or_build_atlas
from utils import config
from utils.errors import UserError
from utils.files import require_file
from utils.objfile import read_obj

LEVEL_0_SIZE = 256  # pixels a side of an atlas of level 0; each further level has half as many


def warp_resolution(warp_level: int) -> int:
    """Pixels a side of the surface map that the warp fills, for the option --warp_level."""
    return LEVEL_0_SIZE >> warp_level


def load_or_build_reference_map(uv_type: str, resolution: int, data_dir=None) -> np.ndarray:
    """The location map [1, R, R, 3] float32 of the body at rest, metres.

    It is read from its file, or built from reference_mesh.obj; nothing is written. UserError where both are missing
    or do not fit.
    """
    path = config.reference_map(uv_type, resolution, data_dir)
    if path.is_file():
        return load_map(path, (1, resolution, resolution, 3))
    rest = Path(data_dir or config.DATA_ROOT) / config.REFERENCE_MESH.name
    mesh = read_obj(require_file(rest, "The reference map is built from it; see data/README.md."))
    atlas = load_or_build_atlas(uv_type, resolution, resolution, data_dir)
    if len(mesh.vertices) != atlas.vertex_count:
        raise UserError(f"{rest} has {len(mesh.vertices)} vertices, the atlas {atlas.vertex_count}.")
    return get_uv_map(atlas, mesh.vertices)[None].astype(np.float32)
