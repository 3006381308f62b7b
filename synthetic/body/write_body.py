"""Make the generated body from MakeHuman's data and write it as SMPL files: all runs without a licensed body model.

    python -m synthetic.body.write_body --data_dir DIR [--picture body.png]

The files have the names and formats of the originals (data/README.md lists them). docs/body.md says how they are made
and what their licence allows. atlas.unwrap.templates makes the atlas templates.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import argparse
import pickle
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix

from synthetic.body.correctives import pose_correctives
from synthetic.body.makehuman import MakeHuman
from synthetic.body.phenotypes import Adult, shape_adults
from synthetic.body.picture import body_picture
from synthetic.body.rig import skinning_weights
from synthetic.body.shape_space import Body, make_bodies
from synthetic.body.skin import RIMS, Skin, edge_loop, make_skin
from utils import config
from utils.array_files.pickles import load_pickle
from utils.body_model import load_body_model
from utils.complete_body import complete_body
from utils.errors import UserError, run_command
from utils.files import atomic_path, write_npy, write_png
from utils.joints import H36M_JOINTS, NUM_JOINTS, PARENTS, SMPL_FLIP, SMPL_JOINTS
from utils.own_body.landmarks import find_places
from utils.own_body.regressors import joint_regressor, row

ORIGIN = "MakeHuman hm08, by DecoMR-MindSpore"  # marks our files, so that real ones are never overwritten
GENDER_FILES = {"neutral": "SMPL_FILE", "male": "MALE_SMPL_FILE", "female": "FEMALE_SMPL_FILE"}
SHARED_FILES = (
    "JOINT_REGRESSOR_TRAIN_EXTRA", "LSP_REGRESSOR_EVAL", "JOINT_REGRESSOR_H36M", "REFERENCE_MESH", "SEGMENTATION_FILE",
    "VERTEX_TEXTURE_FILE",
)  # fmt: skip
_ROOT = np.uint32(2**32 - 1)
# metres that nose and eyes lie behind their surface, so that they are means of the skin around them
_UNDER_THE_SKIN = 0.008
_SKIN, _SHIRT, _TROUSERS, _SHOES = (0.80, 0.62, 0.52), (0.32, 0.48, 0.62), (0.25, 0.26, 0.30), (0.12, 0.11, 0.11)


def write_body(data_root) -> None:
    """Write the body's files below `data_root`; UserError if files of another body are there."""
    root = Path(data_root)
    model_files = {gender: root / getattr(config, name).name for gender, name in GENDER_FILES.items()}
    _refuse_foreign(root, model_files)
    data = MakeHuman()
    average = shape_adults(data, [Adult()], np.arange(len(data.mesh.vertices)))[0]
    skin = make_skin(data, average)
    weights = skinning_weights(data)[skin.source]
    bodies = make_bodies(data, skin, weights)
    for gender, path in model_files.items():
        _write_pickle(path, _smpl_content(bodies[gender], skin, weights))
    neutral = bodies["neutral"]
    face = _face(data, skin, neutral)
    complete_body(root, face)
    places = find_places(neutral.vertices, weights, neutral.joints, face)
    h36m = np.stack([row(neutral.vertices, places[name]) for name in H36M_JOINTS])
    write_npy(root / config.JOINT_REGRESSOR_H36M.name, h36m)
    write_npy(root / config.VERTEX_TEXTURE_FILE.name, _face_texture(skin.faces, weights))


def _smpl_content(body: Body, skin: Skin, weights: np.ndarray) -> dict:
    regressor = joint_regressor(body.vertices, body.joints)
    tree = np.stack([np.where(PARENTS < 0, _ROOT, PARENTS), range(NUM_JOINTS)]).astype(np.uint32)
    return {
        "v_template": body.vertices,
        "shapedirs": body.directions,
        "posedirs": pose_correctives(body.vertices, skin.mirror, weights, body.joints),
        "J_regressor": csc_matrix((regressor + regressor[SMPL_FLIP][:, skin.mirror]) / 2),
        "weights": weights,
        "f": skin.faces.astype(np.uint32),
        "kintree_table": tree,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "origin": ORIGIN,
    }


def _face(data: MakeHuman, skin: Skin, body: Body) -> dict[str, np.ndarray]:
    """Nose and eyes [3], metres: the tip, and the middles of the openings of the lids, a little under the skin."""
    inward = np.array([0.0, 0.0, -_UNDER_THE_SKIN])
    left = np.isin(skin.source, edge_loop(data.mesh.quads, *RIMS["eye"]))
    head = body.vertices[body.vertices[:, 1] > body.joints[SMPL_JOINTS.index("head"), 1]]
    return {
        "nose": head[head[:, 2].argmax()] + inward,
        "left_eye": body.vertices[left].mean(axis=0) + inward,
        "right_eye": body.vertices[skin.mirror[left]].mean(axis=0) + inward,
    }


def _face_texture(faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Colours [1, F, 2, 2, 2, 3] float32 of a dressed body: one per face, RGB in [0, 1]."""
    part = weights[faces].sum(axis=1).argmax(axis=1)
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
                f"{path} is not the generated body's: files of another body are never overwritten. Name another folder."
            )


def _write_pickle(path: Path, content: dict) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        pickle.dump(content, stream, protocol=2)  # 2: the protocol of the originals, which Python 2 wrote


def make_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(description="Write the generated body model as SMPL files.")
    parser.add_argument("--data_dir", default=config.data_root(), help="data root (default: %(default)s)")
    parser.add_argument("--picture", help="a picture of the body to write (.png)")
    return parser


def main() -> None:
    options = make_parser().parse_args()
    write_body(options.data_dir)
    if options.picture:
        root = Path(options.data_dir)
        models = {gender: load_body_model(root / getattr(config, name).name) for gender, name in GENDER_FILES.items()}
        write_png(options.picture, body_picture(models)[..., ::-1])


if __name__ == "__main__":
    run_command(main)
