"""Record and check what a checkpoint was trained with: the atlas, the reference map and the body model.

Weights predict a location map, and only the atlas that they were trained with says which point of the body a pixel of
it means. The reference map is an input of the LNet, and an evaluation compares with the body. So config.json beside the
weights names all three with a checksum. The checksum is of the numbers that count, not of a file:

atlas: (vertex, u, v) of every texcoord, sorted, u and v in whole 32nds of the square. The pixels follow from them. A
    published atlas has the same bits everywhere, as text and as tables. The generated body's differs by 1e-9 to 1e-7
    with the processor that unwraps it, which matters in about one of 1000 pairs of machines.
reference_map: the mean position in each of 8 x 8 blocks, in whole centimetres. The last bits of published maps and of
    maps built here differ with libraries and processors. A mean is so close to a rounding edge that these bits matter
    in fewer than one of 10^5 maps in float64, and one of 500 in float32.
body: v_template as float32, and the faces. A pickle, an .npz and a chumpy array of one body give the same.

A fourth entry, people, says that the data root held generated people; demo.py tells its user.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from atlas.reference_map import load_or_build_reference_map, warp_resolution
from atlas.tables import load_or_build_atlas
from utils import config
from utils.body_model import NEUTRAL, load_model_of_gender
from utils.checkpoints.checkpoint import CONFIG_NAME
from utils.errors import UserError
from utils.option_files import TRAINED_ON

PARTS = {"atlas": "atlas", "reference_map": "reference map", "body": "body"}  # how a message calls them
PEOPLE = "people"  # a further entry, which nothing is checked against: the mark of a data root of generated people
SEEN_BY_NETWORK = ("atlas", "reference_map")
BLOCKS = 8  # of the reference map, a side
CENTIMETRE = 0.01
GRID = 32  # cells on a side of the atlas, the precision of its checksum
SHOWN = 12  # digits of a checksum in a message


def atlas_checksum(texcoords: np.ndarray, vt2v: np.ndarray) -> str:
    """SHA-256 of an atlas: texcoords [T, 2] in any order, the vertex [T] of each."""
    places = np.rint(texcoords.astype(np.float32) * np.float32(GRID)).astype(np.int64)
    return _digest(np.unique(np.column_stack([vt2v, places]), axis=0))


def reference_map_checksum(reference_map: np.ndarray) -> str:
    """SHA-256 of a reference map [1, R, R, 3], metres; R is a multiple of BLOCKS."""
    side = reference_map.shape[1] // BLOCKS
    blocks = reference_map.astype(np.float64).reshape(BLOCKS, side, BLOCKS, side, 3).mean(axis=(1, 3))
    return _digest(np.rint(blocks / CENTIMETRE).astype(np.int64))


def body_checksum(template: np.ndarray, faces: np.ndarray) -> str:
    """SHA-256 of a body: its template [V, 3], metres, and its faces [F, 3]."""
    return _digest(template.astype(np.float32) + np.float32(0), faces)


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        content = np.ascontiguousarray(array, "<f8" if array.dtype.kind == "f" else "<i8")
        digest.update(f"{content.shape}".encode())
        digest.update(content.tobytes())
    return digest.hexdigest()


def identify(options, parts=tuple(PARTS)) -> dict:
    """Part -> {"file", "sha256"} of the data root for the networks of `options`; missing parts are left out."""
    found = {"atlas": _atlas, "reference_map": _reference_map, "body": _body, PEOPLE: _people}
    entries = {part: found[part](options) for part in parts}
    return {part: {"file": entry[0], "sha256": entry[1]} for part, entry in entries.items() if entry}


def _atlas(options) -> tuple[str, str] | None:
    template = config.atlas_template(options.uv_type)
    if not template.is_file() and not config.atlas_tables(options.uv_type, options.uv_res, options.uv_res).is_file():
        return None
    atlas = load_or_build_atlas(options.uv_type, options.uv_res, options.uv_res)
    return template.name, atlas_checksum(atlas.texcoords, atlas.vt2v)


def _reference_map(options) -> tuple[str, str] | None:
    resolution = warp_resolution(options.warp_level)
    path = config.reference_map(options.uv_type, resolution)
    if not path.is_file() and not config.REFERENCE_MESH.is_file():
        return None
    return path.name, reference_map_checksum(load_or_build_reference_map(options.uv_type, resolution))


def _body(options) -> tuple[str, str] | None:
    path = config.body_model_file(config.SMPL_FILE)
    if not path.is_file():
        return None
    model = load_model_of_gender(NEUTRAL)
    return path.name, body_checksum(model.v_template, model.faces)


def _people(_options) -> tuple[str, str] | None:
    path = config.data_root() / config.GENERATED_MARKER
    return (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) if path.is_file() else None


def saw_generated_people_only(weights) -> bool:
    """Whether the record beside `weights` says that they were trained on generated people."""
    return PEOPLE in _read(Path(weights).parent / CONFIG_NAME)


def check(options, weights, parts=tuple(PARTS)) -> None:
    """UserError if `weights` were trained with other `parts` than the data root has; with --other_body, a line instead.

    Weights without a record, such as converted ones, are never refused.
    """
    trained = _read(Path(weights).parent / CONFIG_NAME)
    here = identify(options, [part for part in parts if part in trained])
    others = [part for part, entry in here.items() if entry["sha256"] != trained[part]["sha256"]]
    if not others:
        return
    then, now = (" and ".join(_name(part, side[part]) for part in others) for side in (trained, here))
    line = f"{weights} was trained with the {then}; in {config.data_root()} there is the {now}"
    if not options.other_body:
        raise UserError(f"{line}. Give the right data root by --data_dir, or --other_body to use it all the same.")
    print(f"--other_body: {line}", file=sys.stderr)


def _name(part: str, entry: dict) -> str:
    return f"{PARTS[part]} {entry['file']} ({entry['sha256'][:SHOWN]})"


def _read(path: Path) -> dict:
    """The record in a config.json; empty if there is none, as in files of earlier versions."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    record = content.get(TRAINED_ON, {}) if isinstance(content, dict) else {}
    if not isinstance(record, dict) or not all(_is_entry(entry) for entry in record.values()):
        raise UserError(f"{path} cannot be read: {TRAINED_ON} is no table of files and checksums. Delete that entry.")
    return record


def _is_entry(entry) -> bool:
    texts = [entry.get("file"), entry.get("sha256")] if isinstance(entry, dict) else [None]
    return all(isinstance(text, str) and text.isprintable() and 0 < len(text) < 300 for text in texts)
