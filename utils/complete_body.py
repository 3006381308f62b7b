"""Make the files that follow from a body model alone: its mesh at rest, its parts, and regressors of other joints.

    python -m utils.complete_body DIR [--landmarks places.json]

DIR holds the body model. The command writes reference_mesh.obj, segm_per_v_overlap.pkl, J_regressor_extra.npy and
smpl2lsp_j_regressor_nt_v2.npy, and keeps those that are there. Nose, eyes and ears are found by the shape of the head.
places.json may give better places: {"nose": [x, y, z], "left_eye": 1234, ...}, in metres or as the number of a vertex.
"""

import argparse
import json
import pickle
from pathlib import Path

import numpy as np

from utils import config
from utils.body_model import load_body_model
from utils.errors import UserError, run_command
from utils.files import read_lines, write_bytes, write_npy
from utils.joints import EXTRA_JOINTS
from utils.objfile import ObjMesh, write_obj
from utils.own_body.landmarks import Places, find_places
from utils.own_body.regressors import extra_regressor, lsp_regressor
from utils.own_body.rest_pose import check_rest_pose, check_weights
from utils.own_body.skeleton import body_parts


def complete_body(folder, known: Places | None = None) -> list[Path]:
    """Write those files of this file's docstring that `folder` lacks; returns their paths.

    known: landmarks [3] in metres, by the names of EXTRA_JOINTS; they replace the places that are found.
    """
    folder = Path(folder)
    model_file = config.body_model_file(folder / config.SMPL_FILE.name)
    model = load_body_model(model_file)
    joints = model.joint_regressor @ model.v_template
    check_weights(model.weights, model_file)
    check_rest_pose(model.v_template, joints, model_file)
    places = find_places(model.v_template, model.weights, joints, known)
    parts = pickle.dumps(body_parts(model.weights), protocol=2)
    writers = {
        config.REFERENCE_MESH: lambda path: write_obj(path, ObjMesh(model.v_template, model.faces)),
        config.SEGMENTATION_FILE: lambda path: write_bytes(path, parts),
        config.JOINT_REGRESSOR_TRAIN_EXTRA: lambda path: write_npy(path, extra_regressor(model.v_template, places)),
        config.LSP_REGRESSOR_EVAL: lambda path: write_npy(path, lsp_regressor(model.v_template, places)),
    }
    written = []
    for named, write in writers.items():
        path = folder / named.name
        if not path.exists():
            write(path)
            written.append(path)
    return written


def read_places(path, vertices: np.ndarray) -> Places:
    """Read landmarks from a JSON file: name -> [3] metres. It gives places, or numbers of vertices of [V, 3]."""
    advice = 'Expected {"nose": [x, y, z], "left_eye": 1234, ...}, places in metres or numbers of vertices.'
    try:
        content = json.loads("\n".join(read_lines(path, advice)))
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}. {advice}") from error
    unknown = set(content) - set(EXTRA_JOINTS) if isinstance(content, dict) else {"no table of names"}
    if unknown:
        raise UserError(f"{path} has {', '.join(sorted(unknown))}, expected some of {', '.join(EXTRA_JOINTS)}.")
    places = {}
    for name, given in content.items():
        if isinstance(given, int) and 0 <= given < len(vertices):
            given = vertices[given].tolist()
        if not (isinstance(given, list) and len(given) == 3 and all(isinstance(x, int | float) for x in given)):
            raise UserError(f"{path}: {name} is {json.dumps(given)[:60]}, of {len(vertices)} vertices. {advice}")
        places[name] = np.array(given, np.float64)
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", help="folder with the body model")
    parser.add_argument("--landmarks", help="a JSON file of places that are known better than by the head's shape")
    options = parser.parse_args()
    known = None
    if options.landmarks:
        model = load_body_model(Path(options.folder) / config.SMPL_FILE.name)
        known = read_places(options.landmarks, model.v_template)
    written = complete_body(options.folder, known)
    print(f"written: {', '.join(path.name for path in written)}" if written else "nothing is missing")


if __name__ == "__main__":
    run_command(main)
