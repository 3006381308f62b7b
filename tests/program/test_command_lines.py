"""Bad input to the entry scripts: one clear line on stderr, exit code 2, no traceback."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from tests.helpers import short_train
from tests.helpers.forked_commands import REPOSITORY, run_commands
from tests.helpers.small_network import random_network
from utils import config
from utils.checkpoints import checkpoint

SMALL = ["--img_res", "64", "--lnet_width", "0.125", "--batch_size", "4", "--num_workers", "1", "--mode", "pynative"]


@pytest.fixture(scope="module")
def folder(generated_root, tmp_path_factory) -> Path:
    """Checkpoints of the small network, right and wrong ones, and files that are in the way."""
    folder = tmp_path_factory.mktemp("command_lines")
    with pytest.MonkeyPatch.context() as patch:
        short_train.install(patch.setattr)
        options, dmr = random_network(generated_root, *SMALL)
    for name in ("plain", "configured"):
        checkpoint.save_weights(dmr, folder / name / "rank0" / "dmr_1.ckpt")
    checkpoint.save_config(options, folder / "configured" / "rank0")
    shutil.copy(folder / "plain/rank0/dmr_1.ckpt", folder / "configured/rank0/state_0_000000001.ckpt")
    checkpoint.save_weights(dmr.CNet, folder / "plain" / "rank0" / "CNet_1.ckpt")
    record = {"atlas": {"file": "other.obj", "sha256": "1" * 64}}
    checkpoint.save_config(options, folder / "elsewhere", record)
    (folder / "elsewhere/dmr_1.ckpt").symlink_to(folder / "plain/rank0/dmr_1.ckpt")
    with zipfile.ZipFile(folder / "release.pth", "w") as archive:
        archive.writestr("release/data.pkl", b"CNet LNet")
    (folder / "junk.ckpt").write_text("not a checkpoint")
    (folder / "bad.json").write_text(json.dumps({"batch_size": "many"}))
    (folder / "other.json").write_text(json.dumps({"norm_type": "BN"}))
    return folder


def linked_copy(root: Path, target: Path) -> Path:
    """A data root whose files are links into `root`, to be replaced one by one."""
    return shutil.copytree(root, target, copy_function=os.symlink)


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def without_iuv_names(root: Path) -> None:
    path = root / "DATASET_NPZ_PATH" / "up_3d_trainval.npz"
    table = dict(np.load(path))
    table.pop("iuv_names")
    path.unlink()
    np.savez(path, **table)


def with_unreadable_images(root: Path) -> None:
    for path in (root / "up-3d").glob("*_image.png"):
        replace(path, b"not an image")


def with_a_wrong_body_model(root: Path) -> None:
    replace(root / config.SMPL_FILE.name, b"not a pickle")


def without_anything(root: Path) -> None:
    shutil.rmtree(root)


TO_CONVERT = r"release.pth is a PyTorch file.*: bash scripts/convert_model.sh decomr \S+release.pth \S+release.ckpt"
OTHER_ATLAS = (
    r"dmr_1.ckpt was trained with the atlas other.obj \(1{12}\); in \S+ there is the atlas smpl_.*--other_body"
)
# name -> script, its arguments ({0}: the folder above), damage to the data root, what the line says
CASES = {
    "no data (train)": ("train", "", without_anything, r"up_3d_trainval.npz does not exist. Run: python preprocess_"),
    "no data (eval)": (
        "eval", "--eval_dir {0}/plain/rank0", without_anything, r"up_3d_lsp_test.npz does not exist. Run: python pre",
    ),
    "no iuv_names": ("train", "", without_iuv_names, r"trainval.npz has no IUV images .iuv_names.*Run: .*--gt_iuv"),
    "unreadable image (train)": ("train", "", with_unreadable_images, r"\d_image.png cannot be decoded as an image"),
    "unreadable image (eval)": (
        "eval", "--eval_dir {0}/plain/rank0", with_unreadable_images, r"\d_image.png cannot be decoded as an image",
    ),
    "wrong pickle (train)": (
        "train", "--stage end", with_a_wrong_body_model, r"v1.0.0.pkl cannot be read as a pickle of arrays",
    ),
    "wrong pickle (eval)": (
        "eval", "--eval_dir {0}/plain/rank0", with_a_wrong_body_model, r"v1.0.0.pkl cannot be read as a pickle",
    ),
    "unknown dataset (train)": ("train", "--dataset up3d", None, r"unknown dataset 'up3d', expected one of: .*up-3d"),
    "unknown dataset (eval)": (
        "eval", "--dataset up3d --eval_dir {0}/plain/rank0", None, r"unknown dataset 'up3d', expected one of: .*up-3d",
    ),
    "checkpoint of another width": (
        "eval", "--lnet_width 0.25 --checkpoint {0}/plain/rank0/dmr_1.ckpt", None,
        r"dmr_1.ckpt does not fit the network: LNet\.\S+ has shape .*, expected .*--lnet_width",
    ),
    "width against config.json": (
        "eval", "--lnet_width 0.25 --eval_dir {0}/configured/rank0", None,
        r"--lnet_width 0.25, but .*dmr_1.ckpt was trained with 0.125",
    ),
    "CNet to evaluate": (
        "eval", "--checkpoint {0}/plain/rank0/CNet_1.ckpt", None, r"CNet_1.ckpt holds the CNet alone, a dmr_\*.ckpt",
    ),
    "CNet to continue": (
        "train", "--stage end --checkpoint {0}/plain/rank0/CNet_1.ckpt", None, r"CNet alone.*--pretrained_checkpoint",
    ),
    "not a checkpoint (eval)": ("eval", "--checkpoint {0}/junk.ckpt", None, r"junk.ckpt is not a readable MindSpore"),
    "not a checkpoint (train)": (
        "train", "--pretrained_checkpoint {0}/junk.ckpt", None, r"junk.ckpt is not a readable MindSpore checkpoint",
    ),
    "PyTorch's file": ("eval", "--checkpoint {0}/release.pth", None, TO_CONVERT),
    "PyTorch's file (demo)": ("demo", "--img {0} --out {0}/d --checkpoint {0}/release.pth", None, TO_CONVERT),
    "PyTorch's file (train)": ("train", "--pretrained_checkpoint {0}/release.pth", None, TO_CONVERT),
    "folder without weights": ("eval", "--checkpoint {0}", None, r"no dmr_\*.ckpt in .*: it holds junk.ckpt\."),
    "another atlas (eval)": ("eval", "--checkpoint {0}/elsewhere", None, OTHER_ATLAS),
    "another atlas (demo)": ("demo", "--img {0} --out {0}/d --checkpoint {0}/elsewhere", None, OTHER_ATLAS),
    "another atlas (export)": ("export", "--checkpoint {0}/elsewhere/dmr_1.ckpt", None, OTHER_ATLAS),
    "another atlas (train)": ("train", "--stage end --checkpoint {0}/elsewhere", None, OTHER_ATLAS),
    "another atlas (CNet)": ("train", "--pretrained_checkpoint {0}/elsewhere", None, OTHER_ATLAS),
    "no such checkpoint": ("eval", "--checkpoint {0}/dmr_9.ckpt", None, r"dmr_9.ckpt does not exist"),
    "pattern without files": (
        "eval", "--checkpoint {0}/none_*.ckpt", None, r"--checkpoint \S+none_\*.ckpt: no file has such a name",
    ),
    "report of two": (
        "eval", "--report {0}/r.html --checkpoint {0}/plain/rank0/dmr_1.ckpt {0}/configured/rank0/dmr_1.ckpt", None,
        r"--report shows one checkpoint, but 2 are given",
    ),
    "folder in place of the report": ("eval", "--report {0}", None, r"cannot write the file \S+: it is a folder\. Ch"),
    "folder in place of the report (demo)": (
        "demo", "--img {0} --out {0}/d --report {0}", None, r"cannot write the file \S+: it is a folder\. Choose",
    ),
    "report below a file (demo)": (
        "demo", "--img {0} --out {0}/d --report {0}/junk.ckpt/r.html", None, r"cannot write to the folder \S+junk.ckpt",
    ),
    "nothing trained": ("eval", "--eval_dir {0}", None, r"there is no dmr_\*.ckpt in \S+. Train first"),
    "no state": ("train", "--resume", None, r"--resume: there is no saved state in \S+rank0"),
    "state of another width": (
        "train", "--resume --ckpt_dir {0}/configured --lnet_width 0.25", None,
        r"--lnet_width 0.25, but \S+state_\*.ckpt was trained with 0.125",
    ),
    "state of another network than the file's": (
        "train", "--resume --ckpt_dir {0}/configured --from_json {0}/other.json", None,
        r"--norm_type BN, but \S+state_\*.ckpt was trained with GN",
    ),
    "half precision on the CPU": ("train", "--amp_level O2", None, r"--amp_level O2 needs a GPU or NPU; the CPU comp"),
    "batches of one": ("train", "--batch_size 1", None, r"--batch_size 1: the LNet has BatchNorm.*at least 2"),
    "nothing left to train on": ("train", "--val_share 0.9", None, r"--val_share 0.9 of 12 .*fewer than one batch"),
    "weights in place of a state": (
        "train", "--resume --ckpt_dir {0}/configured", None, r"there is no saved state in \S+configured/rank0",
    ),
    "batch larger than the data": ("train", "--batch_size 64", None, r"12 training samples, fewer than .* 64"),
    "file in place of ckpt_dir": ("train", "--ckpt_dir {0}/junk.ckpt", None, r"cannot write to the folder \S+junk"),
    "file in place of log_dir": ("train", "--log_dir {0}/junk.ckpt", None, r"cannot write to the folder \S+junk.ckpt"),
    "file in place of save_root": (
        "eval", "--save_root {0}/junk.ckpt", None, r"cannot write to the folder \S+junk.ckpt",
    ),
    "no such device": ("train", "--device_target Ascend", None, r"no usable Ascend here.*--device_target CPU"),
    "word for a number": ("train", "--batch_size many", None, r"argument --batch_size: invalid int value: 'many'"),
    "width that does not divide": ("train", "--lnet_width 0.1", None, r"--lnet_width 0.1 gives 25.6 and 12.8 channels"),
    "word for a number in a file": (
        "eval", "--from_json {0}/bad.json", None, r"--from_json \S+bad.json: argument --batch_size: invalid int value",
    ),
    "no checkpoint (demo)": ("demo", "--img {0} --eval_dir {0} --out {0}/d", None, r"there is no dmr_\*.ckpt in"),
    "boxes and keypoints": ("demo", "--img {0} --bbox a --openpose b", None, r"--bbox and --openpose both say where"),
    "no image": ("demo", "--bbox a", None, r"the following arguments are required: --img"),
    "no batch (export)": ("export", "--batch_size 0", None, r"--batch_size is 0, expected at least 1"),
    "wrong ending": (
        "export", "--checkpoint {0}/configured/rank0/dmr_1.ckpt --file_format ONNX --out {0}/a.mindir", None,
        r"a.mindir: a file of format ONNX ends with .onnx",
    ),
    "unknown option": ("eval", "--picturse 3", None, r"unrecognized arguments: --picturse"),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(folder, generated_root) -> dict:
    """Every case run, by name."""
    commands = []
    for index, (script, arguments, damage, _) in enumerate(CASES.values()):
        root = generated_root
        if damage:
            root = linked_copy(generated_root, folder / f"data{index}")
            damage(root)
        own = ["--ckpt_dir", f"{folder}/new", "--log_dir", f"{folder}/logs", "--save_root", f"{folder}/results"]
        words = [*(SMALL + own if script in ("train", "eval") else []), *arguments.format(folder).split()]
        commands.append({"script": script, "arguments": words, "data_dir": str(root)})
    return dict(zip(CASES, run_commands(commands, short=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gives_one_clear_line_and_exit_code_2(results, name):
    script, _, _, expected = CASES[name]
    result = results[name]
    assert result["code"] == 2, result["stderr"]
    errors = [line for line in re.split(r"[\r\n]+", result["stderr"]) if "rror" in line]
    assert len(errors) == 1, result["stderr"]
    assert result["stderr"].endswith(errors[0] + "\n")
    assert errors[0].startswith(f"{script}.py: error: ")
    assert re.search(expected, errors[0])
    assert "Traceback" not in result["stderr"]


def test_a_refused_resume_leaves_the_record_of_the_run_as_it_was(results, folder):
    record = json.loads((folder / "configured/rank0/config.json").read_text())
    assert record["lnet_width"] == 0.125


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train.py", "eval.py"])
def test_the_scripts_themselves_exit_like_that(script):
    finished = subprocess.run(
        [sys.executable, REPOSITORY / script, "--uv_res", "100"], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith(f"{script}: error: argument --uv_res: invalid choice: 100")
    assert len(finished.stderr.splitlines()) == 1
