"""Where every file below the data root lies; data/README.md describes the files.

All paths are below one data root: `data/` beside this repository, or the folder named by the
environment variable DECOMR_DATA, or the one given to `set_data_root` (the --data_dir option).
The constants are looked up when they are used (`config.SMPL_FILE`), so they follow the root.
"""

import os
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
_root = Path(os.environ.get("DECOMR_DATA") or _REPOSITORY / "data")

# name of the constant -> path below the data root
_PATHS = {
    "DATA_ROOT": ".",
    # body models
    "SMPL_FILE": "basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl",
    "MALE_SMPL_FILE": "basicmodel_m_lbs_10_207_0_v1.0.0.pkl",
    "FEMALE_SMPL_FILE": "basicmodel_f_lbs_10_207_0_v1.0.0.pkl",
    "JOINT_REGRESSOR_TRAIN_EXTRA": "J_regressor_extra.npy",
    "LSP_REGRESSOR_EVAL": "smpl2lsp_j_regressor_nt_v2.npy",
    "JOINT_REGRESSOR_H36M": "J_regressor_h36m.npy",
    "REFERENCE_MESH": "reference_mesh.obj",
    "SEGMENTATION_FILE": "segm_per_v_overlap.pkl",
    "VERTEX_TEXTURE_FILE": "vertex_texture.npy",
    # atlas
    "UV_SAMPLER_PATH": "uv_sampler",
    # data sets
    "DATASET_NPZ_PATH": "DATASET_NPZ_PATH",
    "UP_3D_ROOT": "up-3d",
    "UP_3D_TEST_NAMES": "namesUPlsp.txt",
    "SURREAL_ROOT": "surreal",
    "SURREAL_VALIDATION_NAMES": "surreal/namescmu.txt",
    "SURREAL_VALIDATION_LIST": "surreal/valid_list.txt",
    "DATASET_EXTRAS": "dataset_extras",
    "SPIN_FITS": "spin_fits",
    "H36M_ROOT": "h36m",
    "LSP_ROOT": "lsp_dataset",
    "LSP_ORIGINAL_ROOT": "lsp_dataset_original",
    "LSPET_ROOT": "hr-lspet",
    "MPII_ROOT": "mpii",
    "COCO_ROOT": "coco",
    "MPI_INF_3DHP_ROOT": "mpi_inf_3dhp",
    "PW3D_ROOT": "3dpw",
    "UPI_S1H_ROOT": "upi-s1h",
    # encoder weights
    "RESNET_CKPT": "ms_resnet50.ckpt",
    "RESNET_CKPT_ALTERNATIVE": "resnet50_msp.ckpt",
}

# folders of SURREAL's videos below SURREAL_ROOT, and the names of its .npz files
SURREAL_TRAIN_FOLDER, SURREAL_VALIDATION_FOLDER = "data/cmu/train", "data/cmu/val"
SURREAL_TRAIN_NPZ, SURREAL_VALIDATION_NPZ = "surreal_train", "surreal_val"

# how the names of body model files write a gender: in basicmodel_{...}_..., and in SMPL_{...}
GENDER_WORDS = {"neutral": "NEUTRAL", "m": "MALE", "f": "FEMALE"}

# file that stands in a data root of generated people
GENERATED_MARKER = "SYNTHETIC.txt"

# file name of the atlas template, by --uv_type
ATLAS_TEMPLATES = {"BF": "smpl_boundry_free_template.obj", "SMPL": "smpl_fbx_template.obj"}


def set_data_root(folder) -> None:
    """Move every path of this module below `folder`."""
    global _root
    _root = Path(folder).expanduser()


def data_root() -> Path:
    """The folder below which all data lies."""
    return _root


def __getattr__(name: str) -> Path:
    if name in _PATHS:
        return _root / _PATHS[name]
    raise AttributeError(f"module 'utils.config' has no attribute {name!r}")


def atlas_template(uv_type: str, data_dir=None) -> Path:
    """The .obj that defines atlas `uv_type` ('BF' or 'SMPL')."""
    return Path(data_dir or _root) / _PATHS["UV_SAMPLER_PATH"] / ATLAS_TEMPLATES[uv_type]


def atlas_tables(uv_type: str, height: int, width: int, data_dir=None) -> Path:
    """The tables of atlas `uv_type` at height x width pixels (.npz)."""
    return Path(data_dir or _root) / _PATHS["UV_SAMPLER_PATH"] / f"paras_h{height:04d}_w{width:04d}_{uv_type}.npz"


def part_weight_map(uv_type: str, height: int, width: int, data_dir=None) -> Path:
    """How much every pixel of a height x width location map counts in the loss (.npy)."""
    return Path(data_dir or _root) / f"weight_p24_h{height:04d}_w{width:04d}_{uv_type}.npy"


def reference_map(uv_type: str, resolution: int, data_dir=None) -> Path:
    """The location map of the body at rest, resolution x resolution pixels (.npy)."""
    return Path(data_dir or _root) / f"{uv_type}_ref_map_{resolution}.npy"


def body_model_file(path) -> Path:
    """`path`, or if it does not exist, the first file beside it that has another known name of this model.

    The UP project writes basicModel_...; later releases write v1.1.0 or SMPL_NEUTRAL.pkl. Each may be an .npz.
    """
    path = Path(path)
    names = [path.name]
    names += [name.replace("basicmodel_", "basicModel_", 1) for name in names]
    names += [name.replace("_v1.0.0", "_v1.1.0") for name in names]
    names += [f"SMPL_{gender}.pkl" for word, gender in GENDER_WORDS.items() if f"model_{word}_" in path.name]
    names += [f"{name.removesuffix('.pkl')}.npz" for name in names]
    return next((path.with_name(name) for name in names if path.with_name(name).exists()), path)
