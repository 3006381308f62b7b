"""SURREAL from the generator to the evaluation, with the commands that a user gives."""

import json
import re

import cv2
import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from tests.conftest import run_script
from tests.program.test_command_lines import linked_copy

pytestmark = pytest.mark.slow

SMALL = ["--dataset=surreal", "--img_res", 64, "--lnet_width", 0.125, "--num_workers", 2, "--mode", "pynative"]


@pytest.fixture(scope="module")
def root(generated_root, tmp_path_factory):
    """The generated data root with a SURREAL: one video of one frame, one whose person leaves, women and men."""
    root = linked_copy(generated_root, tmp_path_factory.mktemp("surreal") / "data")
    run_script("-m", "synthetic.generate", "--data_dir", root, "--num_train", 12, "--num_test", 4,
               "--num_videos", 4, "--num_test_videos", 4)  # fmt: skip
    printed = run_script("preprocess_surreal.py", "--train_files", "--eval_files", "--gt_iuv", data_dir=root)
    assert "surreal_train: 3 made, 0 kept from before, 1 skipped" in printed.stdout
    return root


def test_the_generated_surreal_has_both_genders_and_a_person_who_leaves(root):
    train, val = (np.load(root / "DATASET_NPZ_PATH" / f"surreal_{split}.npz") for split in ("train", "val"))
    assert set(train["gender"]) == set(val["gender"]) == {"f", "m"}
    frames = {name: train["framenum"][train["videoname"] == name].tolist() for name in set(train["videoname"])}
    counts = sorted(map(len, frames.values()))
    assert counts[0] < counts[1] == counts[2] == 4
    assert val["framenum"].tolist() == [15, 15]
    assert all((root / "surreal" / name).is_file() for name in train["iuv_names"])


def test_it_trains_both_stages_and_is_evaluated(root, tmp_path):
    run_script(
        "train.py", *SMALL, "--use_smpl_joints", "--num_epochs_dp", 1, "--num_epochs_end", 1, "--batch_size", 4,
        "--log_freq", 1, "--name", "run", "--ckpt_dir", tmp_path / "ckpt", "--log_dir", tmp_path / "logs",
        data_dir=root,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "logs/run/metrics.jsonl").read_text().splitlines()]
    losses = [line["losses"] for line in lines if "losses" in line]
    assert all(np.isfinite(list(terms.values())).all() for terms in losses)
    last = losses[-1]
    assert last["key3D_smpl"] > 0 and last["key2D_smpl"] > 0
    assert last["key3D"] == last["key2D"] == 0  # SURREAL has no joints of the training set

    printed = run_script(
        "eval.py", *SMALL, "--batch_size", 4, "--eval_dir", tmp_path / "ckpt/rank0", "--save_root", tmp_path,
        "--num_vis", 2, data_dir=root,
    ).stdout  # fmt: skip
    assert float(re.search(r"^Shape Error: (\S+) mm", printed, re.MULTILINE).group(1)) > 0
    images = json.loads((tmp_path / "surreal.json").read_text())["images"]
    assert [re.search(r"\.mp4:15$", image["imgname"]) is not None for image in images] == [True, True]
    assert cv2.imread(str(tmp_path / "surreal_contact_sheet.png")) is not None
