"""All data sets of the paper from nothing to one table, with the commands of docs/experiments, on generated people."""

import csv
import json
import re

import cv2
import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from datasets.open_dataset import open_for_training
from datasets.registry import DATASETS
from tests.conftest import REPOSITORY, run_script
from tests.program.test_command_lines import linked_copy
from utils import config
from utils.train_options import TrainOptions

pytestmark = pytest.mark.slow

NAMES = ("coco", "mpii", "lsp", "lsp-orig", "lspet", "h36m-p1", "h36m-p2", "mpi-inf-3dhp", "3dpw")
EVALUATED = ("up-3d", "h36m-p1", "h36m-p2", "3dpw", "mpi-inf-3dhp", "lsp")
SMALL = ["--img_res", 64, "--lnet_width", 0.125, "--num_workers", 2, "--batch_size", 4, "--mode", "pynative"]


@pytest.fixture(scope="module")
def root(generated_root, tmp_path_factory):
    """A data root with every data set, prepared."""
    root = linked_copy(generated_root, tmp_path_factory.mktemp("tour") / "data")
    page = (REPOSITORY / "docs/experiments/README.md").read_text()
    (numbers,) = re.findall(r"(--coco \d.*)\n", page)
    words = re.sub(r" [2-9]\b", " 2", numbers)
    run_script("-m", "synthetic.generate", "--data_dir", root, "--num_train", 12, "--num_test", 4, *words.split())
    steps = ("--train_files", "--eval_files", "--gt_iuv")
    printed = run_script("preprocess_datasets.py", "--dataset", *NAMES, *steps, data_dir=root).stdout
    assert "broken" not in printed and "h36m_valid_protocol1: 8 made" in printed
    run_script("preprocess_datasets.py", "--dataset", "h36m", "--gt_iuv", data_dir=root)
    again = run_script("preprocess_datasets.py", "--dataset", *NAMES, *steps, data_dir=root).stdout
    assert set(re.findall(r"(\d+) made", again)) == {"0"}
    return root


def test_every_table_of_the_registry_is_there_and_training_sets_have_iuv_images(root):
    for name in (*NAMES, "h36m", "up-3d"):
        for split, tables in DATASETS[name].npz.items():
            with np.load(root / f"DATASET_NPZ_PATH/{tables[0]}.npz") as table:
                assert len(table["center"]) > 0
                if split == "train":
                    assert (table["iuv_names"] != "").all()


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """The folder of a run of both stages on the mixture spin, which has most of the data sets."""
    folder = tmp_path_factory.mktemp("run")
    run_script(
        "train.py", "--dataset", "spin", *SMALL, "--use_spin_fit", "--adaptive_weight", "--gtkey3d_from_mesh",
        "--use_smpl_joints", "--cache_ram",
        "--num_epochs_dp", 1, "--num_epochs_end", 1, "--log_freq", 1, "--name", "run", "--ckpt_dir", folder / "ckpt",
        "--log_dir", folder / "logs", data_dir=root,
    )  # fmt: skip
    return folder


def test_a_mixture_trains_both_stages(root, trained):
    lines = [json.loads(line) for line in (trained / "logs/run/metrics.jsonl").read_text().splitlines()]
    losses = [line["losses"] for line in lines if "losses" in line]
    with np.load(root / "DATASET_NPZ_PATH/mpi_inf_3dhp_train.npz") as largest:
        assert len(losses) == 2 * (len(largest["scale"]) // 4)  # an epoch of each stage, in batches of 4
    assert np.isfinite([value for terms in losses for value in terms.values()]).all()
    assert min(losses[-1][name] for name in ("dp_uv", "uv", "key3D", "key2D", "con")) > 0


@pytest.mark.parametrize("mixture", ["itw", "all", "mesh", "spin", "h36m"])
def test_every_mixture_reads_its_members(root, monkeypatch, mixture):
    monkeypatch.setattr(config, "_root", root)
    words = ["--dataset", mixture, "--use_spin_fit", "--img_res", "64"]
    dataset = open_for_training(TrainOptions().parse_args(words))
    for member in getattr(dataset, "members", [dataset]):
        items = [member.item(index) for index in range(len(member))]
        assert all(item["has_dp"] and item["has_smpl"] and item["keypoints"].any() for item in items)
        assert all(item["img_orig"].std() > 0.02 for item in items)


def test_one_call_evaluates_all_and_writes_one_table(root, trained, tmp_path):
    printed = run_script(
        "eval.py", "--dataset", *EVALUATED, *SMALL, "--checkpoint", trained / "ckpt/rank0/dmr_1.ckpt", "--save_root",
        tmp_path / "results", "--num_vis", 2, "--fit", data_dir=root,
    ).stdout  # fmt: skip
    assert printed.count("protocol: ") == len(EVALUATED)
    content = json.loads((tmp_path / "results/table.json").read_text())
    assert list(dict.fromkeys(column["dataset"] for column in content["columns"])) == list(EVALUATED)
    ours, fitted, paper = content["rows"]
    assert not ours["quoted"] and np.isfinite(ours["values"]).all()
    assert fitted["name"].endswith("fitted body") and np.isfinite(fitted["values"][0])
    assert paper["quoted"] and {60.6, 39.3} == set(paper["values"]) - {None}
    with open(tmp_path / "results/table.csv", newline="") as stream:
        assert len(list(csv.reader(stream))) == 4
    for name in EVALUATED:
        assert cv2.imread(str(tmp_path / f"results/{name}_contact_sheet.png")) is not None
    one = json.loads((tmp_path / "results/h36m-p2.json").read_text())
    assert one["protocol"].startswith("Human3.6M protocol 2") and len(one["images"]) == 10
