"""The steps of docs/own_body.md with a body of 2000 vertices: an atlas for it, data drawn with it, training."""

import json
import pickle

import cv2
import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from tests.conftest import run_script
from tests.test_unwrap import capsule_body
from tests.tiny_up3d import write_model, write_sample
from utils.atlas_maps import PART_WEIGHTS
from utils.objfile import write_obj

pytestmark = pytest.mark.slow

NUM_SAMPLES = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The files that a user brings: model, regressors, mesh at rest, parts, photographs."""
    root = tmp_path_factory.mktemp("own body")
    mesh = capsule_body(0.034)
    assert 1900 < len(mesh.vertices) < 2100
    write_model(root, mesh.vertices, mesh.faces)
    write_obj(root / "reference_mesh.obj", mesh)
    parts = np.array_split(np.argsort(mesh.vertices[:, 1]), len(PART_WEIGHTS))
    content = {name: part.tolist() for name, part in zip(PART_WEIGHTS, parts, strict=True)}
    (root / "segm_per_v_overlap.pkl").write_bytes(pickle.dumps(content, protocol=2))
    for index in range(NUM_SAMPLES):
        write_sample(root, index)
    lines = "".join(f"/{index:05d}_image.png\n" for index in range(NUM_SAMPLES))
    (root / "up-3d/trainval.txt").write_text(lines)
    return root


def test_a_body_of_another_mesh_gets_an_atlas_and_trains(root, tmp_path):
    template = root / "uv_sampler/smpl_boundry_free_template.obj"
    unwrapped = run_script("-m", "utils.unwrap", root / "reference_mesh.obj", "--out", template)
    assert "round_trip_128" in unwrapped.stdout
    run_script("preprocess_datasets.py", "--train_files", "--gt_iuv", data_dir=root)
    table = np.load(root / "DATASET_NPZ_PATH/up_3d_trainval.npz")
    masks = [cv2.imread(str(root / "up-3d" / name))[..., 0] for name in table["iuv_names"]]
    assert len(masks) == NUM_SAMPLES and all(mask.any() for mask in masks)
    run_script(
        "train.py", "--img_res", 64, "--lnet_width", 0.125, "--mode", "pynative", "--num_workers", 1, "--log_freq", 1,
        "--num_epochs_dp", 1, "--num_epochs_end", 1, "--batch_size", NUM_SAMPLES // 2, "--lam_mesh", 1,
        "--gtkey3d_from_mesh", "--name", "run", "--ckpt_dir", tmp_path / "ckpt", "--log_dir", tmp_path / "logs",
        data_dir=root,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "logs/run/metrics.jsonl").read_text().splitlines()]
    losses = [(line["stage"], line["losses"]) for line in lines if "losses" in line]
    assert [stage for stage, _ in losses] == ["dp", "dp", "end", "end"]
    for _, terms in losses:
        assert np.isfinite(list(terms.values())).all()
    assert losses[-1][1]["mesh"] > 0 and losses[-1][1]["con"] > 0
