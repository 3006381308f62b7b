"""The one step that writes derived tables below the data root, so that later runs read them instead of building them.

The networks read a table that is there and build one that is missing in memory, with the same numbers; they never
write. train.py, eval.py, demo.py and export.py call this step once the data root and the network's options are known.
"""

from dataclasses import asdict

from atlas.part_weights import load_or_build_part_weights
from atlas.reference_map import load_or_build_reference_map, warp_resolution
from atlas.tables import load_or_build_atlas
from utils import config
from utils.errors import CannotWrite, warn
from utils.files import write_npy, write_npz


def write_missing_tables(options, part_weights: bool = False) -> None:
    """Write the tables that the network of `options` needs and the data root lacks.

    Args:
        options: uv_type, uv_res and warp_level count.
        part_weights: whether the part weight map is needed; only stage end of the training does.

    A table whose source is missing is left out: whoever needs it says what to bring. A data root that cannot be
    written to costs a warning, because every run can build its tables in memory.
    """
    uv_type, uv_res, warp_res = options.uv_type, options.uv_res, warp_resolution(options.warp_level)
    try:
        _write_atlas(uv_type, uv_res)
        if not config.reference_map(uv_type, warp_res).is_file() and config.REFERENCE_MESH.is_file():
            _write_atlas(uv_type, warp_res)
            _write_reference_map(uv_type, warp_res)
        if part_weights:
            _write_part_weights(uv_type, uv_res)
    except CannotWrite as error:
        warn(f"the tables of the atlas are built in memory, in this run and the next: {error}")


def _has_atlas(uv_type: str, side: int) -> bool:
    return config.atlas_tables(uv_type, side, side).is_file() or config.atlas_template(uv_type).is_file()


def _write_atlas(uv_type: str, side: int) -> None:
    path = config.atlas_tables(uv_type, side, side)
    if not path.is_file() and _has_atlas(uv_type, side):
        write_npz(path, **asdict(load_or_build_atlas(uv_type, side, side)))


def _write_reference_map(uv_type: str, side: int) -> None:
    if _has_atlas(uv_type, side):
        write_npy(config.reference_map(uv_type, side), load_or_build_reference_map(uv_type, side))


def _write_part_weights(uv_type: str, side: int) -> None:
    path = config.part_weight_map(uv_type, side, side)
    if not path.is_file() and config.SEGMENTATION_FILE.is_file() and _has_atlas(uv_type, side):
        write_npy(path, load_or_build_part_weights(uv_type, side, side))
