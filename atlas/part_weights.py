"""The part weight map: how much every pixel of a location map counts in the loss.

Hands, feet and limbs count more than the torso.
Source of the weights: DecoMR (Zeng et al., CVPR 2020), public release.
"""

from pathlib import Path

import numpy as np

from atlas.tables import Atlas, get_uv_map, load_map, load_or_build_atlas
from utils import config
from utils.array_files.pickles import load_pickle
from utils.errors import UserError
from utils.files import require_file

PART_WEIGHTS = {
    "hips": 1,
    "leftUpLeg": 5,
    "rightUpLeg": 5,
    "spine": 1,
    "leftLeg": 5,
    "rightLeg": 5,
    "spine1": 1,
    "leftFoot": 25,
    "rightFoot": 25,
    "spine2": 1,
    "leftToeBase": 25,
    "rightToeBase": 25,
    "neck": 2,
    "leftShoulder": 1,
    "rightShoulder": 1,
    "head": 2,
    "leftArm": 5,
    "rightArm": 5,
    "leftForeArm": 5,
    "rightForeArm": 5,
    "leftHand": 25,
    "rightHand": 25,
    "leftHandIndex1": 25,
    "rightHandIndex1": 25,
}


def build_part_weights(atlas: Atlas, parts: dict) -> np.ndarray:
    """Weight of every pixel: the largest among the parts that reach it, divided by the map's mean.

    Args:
        parts: part name -> vertex ids.
    Returns:
        [H, W] float32, mean 1.
    Raises:
        UserError where a part is missing or belongs to another body.
    """
    names = list(PART_WEIGHTS)
    missing = [name for name in names if name not in parts]
    if missing:
        raise UserError(f"The part segmentation has no {', '.join(missing)}.")
    indicators = np.zeros((atlas.vertex_count, len(names)))
    for column, name in enumerate(names):
        vertices = np.asarray(parts[name], dtype=np.int64)
        if vertices.size and not 0 <= vertices.min() <= vertices.max() < atlas.vertex_count:
            raise UserError(f"Part {name} names vertex {vertices.max()}, the atlas has {atlas.vertex_count} vertices.")
        indicators[vertices, column] = 1
    reached = get_uv_map(atlas, indicators) > 0
    weights = (reached * np.array([PART_WEIGHTS[name] for name in names], np.float64)).max(axis=-1)
    if not weights.any():
        raise UserError("The part segmentation reaches no pixel of the atlas.")
    return (weights / weights.mean()).astype(np.float32)


def load_parts(data_dir=None) -> dict:
    """The part segmentation of the body below the data root: part name -> vertex ids."""
    path = Path(data_dir or config.DATA_ROOT) / config.SEGMENTATION_FILE.name
    return load_pickle(require_file(path, "The part weight map is built from it; see data/README.md."))


def load_or_build_part_weights(uv_type: str, height: int, width: int, data_dir=None) -> np.ndarray:
    """The part weight map [H, W] float32: read from its file, or built from the segmentation; nothing is written."""
    path = config.part_weight_map(uv_type, height, width, data_dir)
    if path.is_file():
        return load_map(path, (height, width))
    return build_part_weights(load_or_build_atlas(uv_type, height, width, data_dir), load_parts(data_dir))
