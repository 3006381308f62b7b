"""configs/: every file is read, and states the run that its name promises."""

import json
import re
import shutil

import pytest

from tests.conftest import REPOSITORY
from utils.checkpoints import checkpoint
from utils.train_options import TrainOptions
from utils.version import VERSION

FILES = sorted(REPOSITORY.glob("configs/*.json"))
PLACES = {"name", "data_dir", "ckpt_dir", "eval_dir", "save_root", "log_dir", "checkpoint", "pretrained_checkpoint"}
# the command lines of each run before there were files
COMMAND_LINES = {
    "paper": "",
    "surreal": "--dataset=surreal --use_smpl_joints",
    "h36m_up3d": "--dataset mesh",
    "itw": "--dataset itw --use_spin_fit --adaptive_weight",
    "spin": "--dataset spin --use_spin_fit --adaptive_weight --gtkey3d_from_mesh",
    "quickstart_dp": "--img_res 128 --warp_level 2 --cnet_width 0.25 --lnet_width 0.125 --batch_size 8 --num_workers 1 "
    "--lr 1e-3 --lr_schedule linear --no_augmentation --zero_init_residual --log_freq 20 --summary_steps 1000 "
    "--stage dp --num_epochs_dp 4 --lam_dp_mask 1",
    "quickstart_end": "--img_res 128 --warp_level 2 --cnet_width 0.25 --lnet_width 0.125 --batch_size 4 "
    "--num_workers 1 --lr 1e-3 --lr_schedule cosine --no_augmentation --zero_init_residual "
    "--log_freq 20 --summary_steps 1000 --stage end --num_epochs_end 5 --freeze_cnet "
    "--lam_mesh 10 --lam_uv 0.2 --gtkey3d_from_mesh",
    "generated_dp": "--img_res 128 --warp_level 2 --cnet_width 0.25 --lnet_width 0.125 --batch_size 8 --num_workers 1 "
    "--lr 1e-3 --lr_schedule linear --no_augmentation --zero_init_residual --log_freq 200 --summary_steps 1000 "
    "--stage dp --num_epochs_dp 6 --lam_dp_mask 1",
    "generated_end": "--img_res 128 --warp_level 2 --cnet_width 0.25 --lnet_width 0.125 --batch_size 4 "
    "--num_workers 1 --lr 1e-3 --lr_schedule cosine --no_augmentation --zero_init_residual "
    "--log_freq 200 --summary_steps 1000 --stage end --num_epochs_end 2 --lam_mesh 10 --lam_uv 0.2 "
    "--lam_dp_mask 1 --gtkey3d_from_mesh",
}


def options_of(*words) -> dict:
    """The options that `words` lead to, by name, whatever file they come from."""
    return vars(TrainOptions().parse_args([str(word) for word in words])) | {"from_json": None}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_states_the_options_of_its_command_line(file):
    assert options_of("--from_json", file) == options_of(*COMMAND_LINES[file.stem].split())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_eval_reads_the_files_too(file):
    assert TrainOptions(several_checkpoints=True).parse_args(["--from_json", str(file)]).img_res in (128, 224)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_where_a_run_reads_and_writes_is_left_to_the_command_line(file):
    assert not json.loads(file.read_text()).keys() & PLACES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_line_wins_over_each_file(file):
    words = ["--lr", "0.5", "--no_augmentation", "False", "--stage", "end", "--img_res", "64"]
    found = options_of("--from_json", file, *words)
    assert (found["lr"], found["no_augmentation"], found["stage"], found["img_res"]) == (0.5, False, "end", 64)


@pytest.mark.parametrize("name", ["paper", "surreal", "h36m_up3d", "itw", "spin"])
def test_the_full_runs_write_out_all_that_shapes_them(name):
    """So that another default of train.py leaves them as they are."""
    written = json.loads((REPOSITORY / f"configs/{name}.json").read_text()).keys()
    weights = {option for option in options_of() if option.startswith("lam_") and not option.endswith("_smpl")}
    numbers = {"num_epochs_dp", "num_epochs_end", "batch_size", "lr", "rot_factor", "noise_factor", "scale_factor"}
    assert written >= (set(checkpoint.ARCHITECTURE) - {"model", "no_warp"}) | weights | numbers | {"dataset"}


def test_the_config_json_that_a_run_writes_gives_the_same_options_again(tmp_path):
    words = ["--from_json", str(REPOSITORY / "configs/quickstart_end.json"), "--ckpt_dir", str(tmp_path), "--resume"]
    options = TrainOptions().parse_args(words)
    checkpoint.save_config(options, tmp_path, trained_on={"atlas": {"file": "atlas.obj", "sha256": "0" * 64}})
    again = options_of("--from_json", tmp_path / "config.json")
    assert again == vars(options) | {"from_json": None, "resume": False}


def test_the_config_json_of_version_1_0_is_read_on_both_ways(tmp_path):
    """config_1_0.json was written by version 1.0."""
    shutil.copy(REPOSITORY / "tests/files/config_1_0.json", tmp_path / "config.json")
    found = options_of("--from_json", tmp_path / "config.json")
    assert (found["img_res"], found["lnet_width"], found["num_epochs_end"], found["cnet_width"]) == (64, 0.125, 2, 1)
    parser = TrainOptions()
    options = parser.parse_args([])
    checkpoint.adopt_architecture(options, tmp_path / "dmr_2.ckpt", given=set())
    assert (options.img_res, options.lnet_width, options.warp_level) == (64, 0.125, 2)


def test_config_json_states_the_version_that_wrote_it_and_any_version_is_read(tmp_path):
    checkpoint.save_config(TrainOptions().parse_args(["--ckpt_dir", str(tmp_path)]), tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["version"] == VERSION
    (tmp_path / "config.json").write_text(json.dumps(content | {"version": "9.9"}))
    assert options_of("--from_json", tmp_path / "config.json")["ckpt_dir"] == str(tmp_path)


def test_the_version_is_that_of_the_changelog(capsys):
    newest = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == VERSION
    with pytest.raises(SystemExit) as end:
        TrainOptions().parse_args(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"DecoMR-MindSpore {VERSION}\n"


def test_the_table_of_the_folder_names_its_files():
    told = re.findall(r"`(\w+\.json)`", (REPOSITORY / "configs/README.md").read_text())
    assert set(told) - {"config.json"} == {file.name for file in FILES}
    assert {file.stem for file in FILES} == COMMAND_LINES.keys()
