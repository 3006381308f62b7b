"""Options: names and defaults of the original, how words become values, what is refused."""

import json

import pytest

from utils import config
from utils.errors import UserError
from utils.train_options import TrainOptions

# the table of the original, with the defaults that its users rely on
DEFAULTS = {
    "name": "sample_dp", "device_id": 0, "run_distribute": False, "ngpu": 1, "num_workers": 8, "ckpt_dir": "./ckpt",
    "eval_dir": "./ckpt/rank0", "save_root": "./results", "log_dir": "./logs", "log_freq": 20, "checkpoint": None,
    "from_json": None, "pretrained_checkpoint": None, "resume": False, "fresh": False, "model": "DecoMR",
    "img_res": 224, "uv_res": 128, "uv_type": "BF", "uv_channels": 128, "warp_level": 2, "norm_type": "GN",
    "dataset": "up-3d",
    "num_epochs_dp": 5, "num_epochs_end": 30, "batch_size": 16, "summary_steps": 100, "checkpoint_steps": 5000,
    "rot_factor": 30, "noise_factor": 0.4, "scale_factor": 0.25, "no_augmentation": False,
    "no_augmentation_rgb": False, "no_flip": False, "stage": None, "use_spin_fit": False, "adaptive_weight": False,
    "gtkey3d_from_mesh": False, "use_smpl_joints": False, "shuffle_train": True, "adam_beta1": 0.9, "lr": 2.5e-4,
    "wd": 0, "time_to_run": None, "lam_dp_mask": 0.2, "lam_dp_uv": 1, "lam_uv": 1, "lam_tv": 1e-4, "lam_mesh": 0,
    "lam_key3D": 1, "lam_key2D": 1, "lam_key3D_smpl": 1, "lam_key2D_smpl": 1, "lam_con": 1,
}  # fmt: skip


def parse(*words):
    return TrainOptions().parse_args([str(word) for word in words])


@pytest.fixture
def json_file(tmp_path):
    def write(content) -> str:
        path = tmp_path / "options.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_names_and_defaults_are_those_of_the_original():
    found = vars(parse())
    assert {name: found.get(name, "no such option") for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--run_distribute==True"], True),  # as the launch script of 2022 writes it
        (["--run_distribute==False"], False),
        (["--run_distribute=True"], True),
        (["--run_distribute", "true"], True),
        (["--run_distribute", "1"], True),
        (["--run_distribute"], True),
        (["--run_distribute", "False"], False),
        (["--run_distribute", "0"], False),
        ([], False),
    ],
)
def test_false_is_not_true(words, value):
    assert parse(*words).run_distribute is value


def test_a_word_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(UserError, match="--resume: expected True or False, found 'maybe'"):
        parse("--resume", "maybe")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--no_shuffle_train"], False),
        (["--no_shuffle_train", "False"], True),
        (["--shuffle_train", "False"], False),
        (["--shuffle_train"], True),
    ],
)
def test_shuffling_can_be_switched_off_either_way(words, value):
    assert parse(*words).shuffle_train is value


def test_the_old_spelling_of_ngpu_is_taken():
    assert parse("--ngpus", 4).ngpu == parse("--ngpu", 4).ngpu == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch_size", 0], "--batch_size is 0, expected at least 1"),
        (["--num_epochs_dp", -1], "--num_epochs_dp is -1, expected at least 0"),
        (["--img_res", 100], "--img_res is 100, expected a multiple of 32"),
        (["--warp_level", 0], "--warp_level is 0, expected 1 to 4"),
        (["--warp_level", 5], "--warp_level is 5, expected 1 to 4"),
        (["--lnet_width", 0.1], "--lnet_width 0.1 gives 25.6 and 12.8 channels, expected multiples of 16"),
        (["--lnet_width", "nan"], "expected multiples of 16"),
        (["--cnet_width", 0.1], "--cnet_width 0.1 gives 6.4 channels, expected a multiple of 4"),
        (["--cnet_width", "nan"], "expected a multiple of 4"),
        (["--warp_level", 0, "--uv_res", 256], "--warp_level is 0, expected 1 to 4"),
        (["--cnet_width", 0.4375], "--cnet_width 0.4375 makes groups of 3 channels"),
        (["--lnet_width", 0.4375, "--uv_channels", 256], "--lnet_width 0.4375 makes groups of 3 channels"),
        (["--uv_channels", 8], "gives 256 and 8 channels"),
        (["--lr", "nan"], "--lr is nan, expected more than 0"),
        (["--scale_factor", "1"], "--scale_factor is 1.0, expected less than 1"),
        (["--noise_factor", "1.5"], "--noise_factor is 1.5, expected at most 1"),
        (["--scale_factor", "nan"], "--scale_factor is nan, expected at least 0"),
        (["--adam_beta1", 1], "--adam_beta1 is 1.0, expected at least 0 and less than 1"),
        (["--accumulate", 0], "--accumulate is 0, expected at least 1"),
        (["--val_share", 1], "--val_share is 1.0, expected at least 0 and less than 1"),
        (["--lr_gamma", 0], "--lr_gamma is 0.0, expected more than 0 and at most 1"),
        (["--clip_grad", "nan"], "--clip_grad is nan, expected at least 0"),
        (["--warmup", -1], "--warmup is -1, expected at least 0"),
        (["--amp_level", "O1"], "invalid choice: 'O1'"),
        (["--uv_type", "bf"], "invalid choice: 'bf'"),
        (["--stage", "both"], "invalid choice: 'both'"),
        (["--bath_size", 4], "unrecognized arguments: --bath_size 4"),
    ],
)
def test_values_that_cannot_work_are_refused_with_the_reason(words, message):
    with pytest.raises(UserError) as error:
        parse(*words)
    assert message in str(error.value)


def test_a_json_file_gives_options_and_the_command_line_wins(json_file):
    path = json_file({"batch_size": 4, "lr": 1e-3, "no_flip": True, "shuffle_train": False, "stage": None})
    options = parse("--from_json", path, "--lr", 0.01)
    assert (options.batch_size, options.no_flip, options.shuffle_train, options.stage) == (4, True, False, None)
    assert options.lr == 0.01
    assert parse("--lr", 0.01, "--from_json", path).lr == 0.01


def test_the_options_of_a_run_come_back_from_its_json_file(json_file):
    options = parse("--lnet_width", 0.5, "--no_flip", "--name", "a b", "--time_to_run", 5, "--no_shuffle_train")
    path = json_file(vars(options))
    assert vars(parse("--from_json", path)) == vars(options) | {"from_json": str(path)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"batch_size": "many"}, "argument --batch_size: invalid int value: 'many'"),
        ({"batch_size": 2.5}, "argument --batch_size: invalid int value: '2.5'"),
        ({"uv_res": 64}, "argument --uv_res: invalid choice: 64"),
        ({"no_flip": "maybe"}, "argument --no_flip: expected True or False"),
        ({"lr": None}, "argument --lr: invalid float value: 'None'"),
        ({"lr": [1, 2]}, "lr is [1, 2], expected one number, text, true, false or null."),
        ({"name": {"stage": "dp"}}, 'name is {"stage": "dp"}, expected one number'),
        ({"zzz": 1, "lr": 1}, "holds unknown options: zzz."),
        ({"bath_size": 1}, "holds unknown options: bath_size (did you mean batch_size?)."),
        ({f"option_{i}_nowhere": i for i in range(5)}, "option_2_nowhere, ..."),
        ({"help": True}, "holds unknown options: help"),
        ('{"lr": 1, "seed": 2, "lr": 1}', "cannot be read: lr stands in it twice."),
        ({"lam_key2d": 1, "lam_key2D": 1}, "holds lam_key2d and lam_key2D, which set the same option; give one of"),
        ({"no_shuffle_train": True, "shuffle_train": True}, "holds no_shuffle_train and shuffle_train, which set"),
        ([1, 2], "holds a list, expected an object"),
        ("{broken", "cannot be read"),
    ],
)
def test_values_of_a_json_file_are_checked_like_those_of_the_command_line(json_file, content, message):
    path = json_file(content)
    with pytest.raises(UserError) as error:
        parse("--from_json", path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("value", ["", "cache"])
def test_a_compile_cache_of_an_earlier_version_is_read_and_not_offered(json_file, value):
    assert parse("--from_json", json_file({"compile_cache": value, "seed": 3})).seed == 3
    assert parse("--compile_cache", "folder").compile_cache == "folder"
    assert "compile_cache" not in TrainOptions().parser.format_help()


def test_a_missing_json_file_is_named():
    with pytest.raises(UserError, match="--from_json nowhere.json cannot be read"):
        parse("--from_json", "nowhere.json")


def test_given_are_the_options_of_the_command_line_even_at_their_defaults():
    words = ["--lnet_width", "1.0", "--no_flip", "--no_shuffle_train"]
    assert TrainOptions().given(words) == {"lnet_width", "no_flip", "shuffle_train"}
    assert TrainOptions().given([]) == set()


def test_stated_are_those_of_the_command_line_and_of_the_file(json_file):
    words = ["--from_json", str(json_file({"lnet_width": 1.0, "lam_key2d": 1})), "--no_flip"]
    assert TrainOptions().stated(words) == {"from_json", "lnet_width", "lam_key2D", "no_flip"}
    assert TrainOptions().given(words) == {"from_json", "no_flip"}


def test_data_dir_moves_the_data_root(tmp_path):
    before = config.data_root()
    try:
        parse("--data_dir", tmp_path)
        assert config.SMPL_FILE.parent == tmp_path
    finally:
        config.set_data_root(before)


def test_the_originals_names_of_the_losses_on_joints_are_known(tmp_path):
    """On the command line and in a file."""
    options = TrainOptions().parse_args(["--lam_key2d", "3", "--lam_key3d_smpl", "0.5"])
    assert (options.lam_key2D, options.lam_key3D_smpl) == (3, 0.5)
    file = tmp_path / "options.json"
    file.write_text('{"lam_key3d": 7, "lam_key2d_smpl": 2}')
    options = TrainOptions().parse_args(["--from_json", str(file)])
    assert (options.lam_key3D, options.lam_key2D_smpl) == (7, 2)
