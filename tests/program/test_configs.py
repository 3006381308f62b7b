"""Every file in configs/ is a run that train.py accepts, and the quickstart's are the settings of its documents."""

import json

import pytest

from tests.conftest import REPOSITORY
from utils.errors import UserError
from utils.train_options import TrainOptions

FILES = sorted((REPOSITORY / "configs").glob("*.json"))
# the quickstart's command lines before its settings lay in files
COMMON = (
    "--img_res 128 --warp_level 3 --lnet_width 0.125 --batch_size 4 --num_workers 1 --lr 1e-3 --lr_schedule linear "
    "--no_augmentation --zero_init_residual --log_freq 20 --summary_steps 1000"
)
QUICKSTART = {
    "dp": "--stage dp --num_epochs_dp 3 --lam_dp_mask 1",
    "end": "--stage end --num_epochs_end 7 --freeze_cnet --lam_mesh 10 --lam_uv 0.2 --gtkey3d_from_mesh",
}


def options_of(*words) -> dict:
    values = vars(TrainOptions().parse_args([str(word) for word in words]))
    return {name: value for name, value in values.items() if name != "from_json"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_a_run(file):
    values = options_of("--from_json", file)
    assert json.loads(file.read_text()).items() <= values.items()


@pytest.mark.parametrize("stage", QUICKSTART)
def test_the_quickstart_trains_as_its_command_lines_did(stage):
    file = REPOSITORY / f"configs/quickstart_{stage}.json"
    assert options_of("--from_json", file) == options_of(*COMMON.split(), *QUICKSTART[stage].split())


def test_the_paper_s_run_is_the_default():
    assert options_of("--from_json", REPOSITORY / "configs/paper.json") == options_of()


def test_the_command_line_wins():
    values = options_of("--from_json", REPOSITORY / "configs/paper.json", "--batch_size", 8, "--lam_key3d", 2)
    assert (values["batch_size"], values["lam_key3D"]) == (8, 2)


def test_an_unknown_name_is_refused(tmp_path):
    (tmp_path / "run.json").write_text('{"batch_sise": 8}')
    with pytest.raises(UserError, match="run.json: holds unknown options: batch_sise"):
        options_of("--from_json", tmp_path / "run.json")
