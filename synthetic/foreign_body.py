"""Check, identify and copy a body model that was not generated, so that photographs of it can be made."""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from synthetic.body.write_body import GENDER_FILES, SHARED_FILES
from utils import config
from utils.body_model import load_body_model, load_joint_regressors
from utils.errors import UserError
from utils.files import atomic_path
from utils.objfile import read_obj
from utils.own_body.rest_pose import check_rest_pose, check_weights

_MODELS = tuple(GENDER_FILES.values())
# besides the model, the photographs and their annotations depend on these
_REGRESSORS = ("JOINT_REGRESSOR_TRAIN_EXTRA", "LSP_REGRESSOR_EVAL")


def check_body(folder: Path, videos: bool) -> None:
    """UserError if `folder` lacks a file that photographs, videos or training need; it says how to make the file."""
    models = [config.body_model_file(_below(folder, name)) for name in _MODELS[: 3 if videos else 1]]
    for path in models:
        if not path.is_file():
            raise UserError(
                f"{folder} has no body model {path.name}. Bring it; see docs/own_body.md."
                + (" For --num_videos a copy of the neutral one serves as male and female." if videos else "")
            )
    derived = [_below(folder, name) for name in ("JOINT_REGRESSOR_TRAIN_EXTRA", "SEGMENTATION_FILE", "REFERENCE_MESH")]
    missing = [path.name for path in derived if not path.is_file()]
    if missing:
        raise UserError(f"{folder} has no {', '.join(missing)}. Make them with python -m utils.complete_body {folder}")
    template = config.atlas_template("BF", folder)
    if not template.is_file():
        mesh = _below(folder, "REFERENCE_MESH")
        raise UserError(f"{template} does not exist. Make it with python -m atlas.unwrap {mesh} --out {template}")
    for path in models:
        model = load_body_model(path)
        check_weights(model.weights, path)
        check_rest_pose(model.v_template, load_joint_regressors(folder, model).smpl(model.v_template), path)
        for mesh_file in (_below(folder, "REFERENCE_MESH"), template):
            if not np.array_equal(read_obj(mesh_file).faces, model.faces):
                raise UserError(f"{mesh_file} has other triangles than {path}. Make it anew; see docs/own_body.md.")


def fingerprint(folder: Path) -> str:
    """16 hexadecimal digits that depend on the body model and the joint regressors of the annotations."""
    digest = hashlib.sha256()
    for path in (config.body_model_file(_below(folder, _MODELS[0])), *(_below(folder, name) for name in _REGRESSORS)):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:16]


def copy_body(folder: Path, root: Path) -> None:
    """Copy a body's files to another data root; UserError if it has a different file of the same name."""
    sources = [config.body_model_file(_below(folder, name)) for name in _MODELS]
    sources += [_below(folder, name) for name in SHARED_FILES]
    sources += [config.atlas_template(uv_type, folder) for uv_type in config.ATLAS_TEMPLATES]
    for source in filter(Path.is_file, sources):
        target = root / source.relative_to(folder)
        if not target.exists():
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
        elif target.read_bytes() != source.read_bytes():
            raise UserError(f"{target} is another than {source} and is left as it is. Choose another --data_dir.")


def _below(folder: Path, name: str) -> Path:
    return folder / getattr(config, name).relative_to(config.DATA_ROOT)
