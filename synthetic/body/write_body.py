"""Put the open mannequin together and write it as SMPL files, so that everything runs without a licensed body model.

    python -m synthetic.body.write_body --data_dir DIR

The files have the names and formats of the originals (data/README.md lists them). Every run gives the same files.
atlas.unwrap.templates makes the atlas templates.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import argparse
import pickle
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix

from synthetic.body.regressors import regressor, skeleton_regressor
from synthetic.body.remesh import MirroredMesh, build_mesh
from synthetic.body.shape_space import gender_template, shape_directions
from synthetic.body.skinning import pose_correctives, skinning_weights
from utils import config
from utils.array_files.pickles import load_pickle
from utils.errors import UserError, run_command
from utils.files import atomic_path, write_npy
from utils.joints import EXTRA_JOINTS, H36M_JOINTS, LSP_JOINTS, NUM_JOINTS, PARENTS, SMPL_JOINTS, row_names
from utils.objfile import ObjMesh, write_obj
from utils.own_body.skeleton import body_parts

ORIGIN = "DecoMR-MindSpore mannequin"  # marks our files, so that real ones are never overwritten
GENDER_FILES = {"neutral": "SMPL_FILE", "male": "MALE_SMPL_FILE", "female": "FEMALE_SMPL_FILE"}
SHARED_FILES = (
    "JOINT_REGRESSOR_TRAIN_EXTRA", "LSP_REGRESSOR_EVAL", "JOINT_REGRESSOR_H36M", "REFERENCE_MESH", "SEGMENTATION_FILE",
    "VERTEX_TEXTURE_FILE",
)  # fmt: skip
_ROOT = np.uint32(2**32 - 1)
_SKIN, _SHIRT, _TROUSERS, _SHOES = (0.80, 0.62, 0.52), (0.32, 0.48, 0.62), (0.25, 0.26, 0.30), (0.12, 0.11, 0.11)


def write_body(data_root) -> None:
    """Write the mannequin's files below `data_root`; UserError if files of another body are there."""
    root = Path(data_root)
    model_files = {gender: root / getattr(config, name).name for gender, name in GENDER_FILES.items()}
    _refuse_foreign(root, model_files)
    mesh = build_mesh()
    weights = skinning_weights(mesh)
    for gender, path in model_files.items():
        _write_pickle(path, _smpl_content(gender, mesh, weights))
    vertices = mesh.vertices
    write_npy(root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name, regressor(EXTRA_JOINTS, vertices, mesh.mirror))
    lsp = regressor(row_names(LSP_JOINTS), vertices, mesh.mirror).T
    write_npy(root / config.LSP_REGRESSOR_EVAL.name, np.ascontiguousarray(lsp, np.float32))
    write_npy(root / config.JOINT_REGRESSOR_H36M.name, regressor(H36M_JOINTS, vertices, mesh.mirror))
    write_obj(root / config.REFERENCE_MESH.name, ObjMesh(vertices, mesh.faces, None, None))
    _write_pickle(root / config.SEGMENTATION_FILE.name, body_parts(weights))
    write_npy(root / config.VERTEX_TEXTURE_FILE.name, _face_texture(mesh, weights))


def _smpl_content(gender: str, mesh: MirroredMesh, weights: np.ndarray) -> dict:
    vertices, places = gender_template(gender, mesh.vertices, weights)
    tree = np.stack([np.where(PARENTS < 0, _ROOT, PARENTS), range(NUM_JOINTS)]).astype(np.uint32)
    return {
        "v_template": vertices,
        "shapedirs": shape_directions(vertices, weights, places),
        "posedirs": pose_correctives(MirroredMesh(vertices, mesh.faces, mesh.mirror), weights, places),
        "J_regressor": csc_matrix(skeleton_regressor(vertices, mesh.mirror, places)),
        "weights": weights,
        "f": mesh.faces.astype(np.uint32),
        "kintree_table": tree,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "origin": ORIGIN,
    }


def _face_texture(mesh: MirroredMesh, weights: np.ndarray) -> np.ndarray:
    """Colours [1, F, 2, 2, 2, 3] float32 of a dressed mannequin: one per face, RGB in [0, 1]."""
    part = weights[mesh.faces].sum(axis=1).argmax(axis=1)
    colours = np.array([_part_colour(name) for name in SMPL_JOINTS], np.float32)[part]
    return np.broadcast_to(colours[None, :, None, None, None], (1, len(part), 2, 2, 2, 3)).copy()


def _part_colour(joint: str) -> tuple:
    if joint.endswith(("pelvis", "hip", "knee")):
        return _TROUSERS
    if joint.endswith(("ankle", "foot")):
        return _SHOES
    if joint.endswith(("collar", "shoulder")) or joint.startswith("spine"):
        return _SHIRT
    return _SKIN


def _refuse_foreign(root: Path, model_files: dict) -> None:
    """UserError if `root` holds files of another body.

    write_body writes the neutral model first. So files are not ours if there is no neutral model, or if it lacks our
    mark.
    """
    models = [path for path in map(config.body_model_file, model_files.values()) if path.exists()]
    foreign = [path for path in models if load_pickle(path).get("origin") != ORIGIN]
    if model_files["neutral"] not in models:
        foreign += [root / getattr(config, name).name for name in SHARED_FILES]
    for path in foreign:
        if path.exists():
            raise UserError(
                f"{path} is not the mannequin's: files of another body are never overwritten. Name another folder."
            )


def _write_pickle(path: Path, content: dict) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        pickle.dump(content, stream, protocol=2)  # 2: the protocol of the originals, which Python 2 wrote


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the open mannequin body model as SMPL files.")
    parser.add_argument("--data_dir", default=config.data_root(), help="data root (default: %(default)s)")
    write_body(parser.parse_args().data_dir)


if __name__ == "__main__":
    run_command(main)
