"""eval.py as a command: several ranks give the numbers of one process, several checkpoints a table."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from tests.conftest import NUM_TEST, REPOSITORY, run_script
from tests.helpers.small_network import random_network
from tests.models.test_distributed import free_port
from tests.program.test_command_lines import linked_copy
from utils.checkpoints import checkpoint

pytestmark = pytest.mark.slow

WORDS = ["--dataset", "up-3d", "--batch_size", 1, "--num_workers", 1, "--mode", "pynative", "--device_target", "CPU"]
RANKS = 2


@pytest.fixture(scope="module")
def folder(generated_root, tmp_path_factory) -> Path:
    """Two untrained checkpoints of different shapes, and a data root whose test images have LSP annotations."""
    folder = tmp_path_factory.mktemp("evaluation")
    for name, width in (("a", 0.125), ("b", 0.25)):
        options, dmr = random_network(generated_root, "--img_res", 64, "--lnet_width", width)
        checkpoint.save_weights(dmr, folder / name / "dmr_1.ckpt")
        checkpoint.save_config(options, folder / name)
    annotate(linked_copy(generated_root, folder / "data"))
    return folder


def annotate(root: Path) -> None:
    """Silhouettes made from the IUV images, as `maskname` of the test images."""
    path = root / "DATASET_NPZ_PATH" / "up_3d_lsp_test.npz"
    table = dict(np.load(path))
    table["maskname"] = np.array([name.replace(".png", "_mask.png") for name in table["iuv_names"].tolist()])
    for name, mask in zip(table["iuv_names"], table["maskname"], strict=True):
        cv2.imwrite(str(root / "up-3d" / str(mask)), 255 * cv2.imread(str(root / "up-3d" / str(name)))[..., 0])
    path.unlink()
    np.savez(path, **table)


@pytest.fixture(scope="module")
def alone(folder) -> str:
    """The output of one process on both checkpoints."""
    result = run_script(
        "eval.py", *WORDS, "--checkpoint", f"{folder}/?/dmr_1.ckpt", "--save_root", folder / "alone",
        data_dir=folder / "data",
    )  # fmt: skip
    return result.stdout


def figures(path: Path) -> dict:
    """A JSON file without what differs from run to run."""
    content = json.loads(path.read_text())
    assert content.pop("speed")["images_per_second"] > 0 and content.pop("date")
    return content


def flat(content, path: tuple = ()) -> dict:
    """Nested dicts and lists -> values by path."""
    if not isinstance(content, dict | list):
        return {path: content}
    items = content.items() if isinstance(content, dict) else enumerate(content)
    return {inner: value for key, item in items for inner, value in flat(item, (*path, key)).items()}


def test_several_checkpoints_bring_their_architecture_and_give_a_table(alone, folder):
    table = alone[alone.index("checkpoint   ") :].splitlines()
    assert [Path(line.split()[0]).parent.name for line in table[1:3]] == ["a", "b"]
    for number, line in enumerate(table[1:3], start=1):
        means = figures(folder / f"alone/up-3d_{number}_dmr_1.json")["mean"]
        assert float(line.split()[1]) == pytest.approx(means["shape_error"], abs=0.006)
    found = figures(folder / "alone/up-3d_1_dmr_1.json")
    assert len(found["images"]) == NUM_TEST
    assert 0 < found["lsp"]["LSP mask accuracy"] < 1
    assert re.search(r"^LSP mask F1, foreground: 0\.\d+$", alone, re.MULTILINE)


def test_two_ranks_report_what_one_process_does(alone, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = dict(os.environ, PATH=path, PYTHONPATH=str(REPOSITORY), DECOMR_DATA=str(folder / "data"))
    command = [
        Path(sys.executable).with_name("msrun"), f"--worker_num={RANKS}", f"--local_worker_num={RANKS}",
        f"--master_port={free_port()}", f"--log_dir={folder / 'msrun_log'}", "--join=True", REPOSITORY / "eval.py",
        *WORDS, "--checkpoint", folder / "a/dmr_1.ckpt", "--run_distribute", "True", "--save_root", folder / "ranks",
    ]  # fmt: skip
    result = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (folder / "ranks/up-3d.json").is_file(), result.stdout[-3000:] + result.stderr[-3000:]
    # numpy's products round differently where processes share the cores
    expected = {
        path: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        for path, value in flat(figures(folder / "alone/up-3d_1_dmr_1.json")).items()
    }
    assert flat(figures(folder / "ranks/up-3d.json")) == expected
    assert (folder / "ranks/up-3d.csv").read_bytes() == (folder / "alone/up-3d_1_dmr_1.csv").read_bytes()
    assert sorted(path.name for path in (folder / "ranks").iterdir()) == ["up-3d.csv", "up-3d.json"]


def test_a_real_network_on_several_data_sets_gives_one_table_and_pictures(folder):
    root = folder / "data"
    table = dict(np.load(root / "DATASET_NPZ_PATH" / "up_3d_lsp_test.npz"))
    image = {key: table[key] for key in ("imgname", "center", "scale", "part")}
    joints = np.concatenate(
        [np.random.default_rng(0).normal(size=(NUM_TEST, 24, 3)) * 0.2, np.ones((NUM_TEST, 24, 1))], 2
    )
    own = {
        ("h36m_valid_protocol2", "h36m"): {"S": joints},
        ("3dpw_test", "3dpw"): {"pose": table["pose"], "shape": table["shape"], "gender": np.array([""] * NUM_TEST)},
        ("lsp_dataset_test", "lsp_dataset"): {"maskname": table["maskname"]},
    }
    for (name, place), columns in own.items():
        np.savez(root / "DATASET_NPZ_PATH" / f"{name}.npz", **image, **columns)
        (root / place).symlink_to(root / "up-3d")
    result = run_script(
        "eval.py", *WORDS, "--dataset", "h36m-p2", "3dpw", "lsp", "up-3d", "--num_vis", 2,
        "--save_root", folder / "several", "--checkpoint", folder / "a/dmr_1.ckpt", data_dir=root,
    )  # fmt: skip
    written = {path.name for path in (folder / "several").iterdir()}
    names = [f"{dataset}{end}" for dataset in ("h36m-p2", "3dpw", "lsp", "up-3d")
             for end in (".json", ".csv", "_contact_sheet.png")]  # fmt: skip
    assert written == {*names, *(f"table.{end}" for end in ("json", "csv", "md", "tex"))}
    own_row, paper = json.loads((folder / "several/table.json").read_text())["rows"]
    # without part annotations LSP has two figures of four
    assert [value is None for value in own_row["values"]] == [False] * 5 + [False, False, True, True] + [False] * 3
    assert paper["values"][:2] == [60.6, 39.3] and not any(paper["values"][2:])
    of_3dpw, of_up_3d = (figures(folder / f"several/{name}.json")["mean"] for name in ("3dpw", "up-3d"))
    assert of_3dpw["pve"] == pytest.approx(of_up_3d["shape_error"], rel=1e-9)  # the same meshes and joints
    assert of_3dpw["mpjpe"] == pytest.approx(of_up_3d["mpjpe"], rel=1e-9)
    assert "no mean training mesh as a baseline: 3dpw has no training split" in result.stderr
    assert re.search(r"^\d+\.\d\d images per second; the network waited", result.stdout, re.MULTILINE)
