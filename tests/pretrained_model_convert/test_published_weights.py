"""The architecture of a published DecoMR: from its config.json, else from its weights' shapes, and written beside."""

import json

import numpy as np
import pytest
import torch

from pretrained_model_convert import architecture
from tests.reference import networks
from utils.checkpoints import checkpoint
from utils.errors import UserError
from utils.train_options import TrainOptions

RELEASED = {"warp_level": 2, "uv_res": 128, "uv_channels": 64, "norm_type": "GN", "lnet_width": 1.0,
            "cnet_width": 1.0}  # fmt: skip
VARIANTS = [
    RELEASED,
    RELEASED | {"uv_channels": 128},
    RELEASED | {"warp_level": 1},  # a decoder without steps
    RELEASED | {"warp_level": 3},
    RELEASED | {"warp_level": 4, "uv_res": 256},
    RELEASED | {"uv_res": 256},
    RELEASED | {"norm_type": "BN"},
    RELEASED | {"cnet_width": 0.25},
    RELEASED | {"lnet_width": 0.25, "uv_channels": 128},
    RELEASED | {"lnet_width": 0.125, "uv_channels": 256, "uv_res": 256, "warp_level": 3, "norm_type": "BN"},
]
# as a training script of PyTorch writes its options, some as text
RELEASED_CONFIG = {
    "name": "sample_dp", "uv_channels": "64", "warp_level": 2, "norm_type": "GN", "uv_res": "128", "uv_type": "SMPL",
    "img_res": "224", "model": "DecoMR", "ngpu": 4, "checkpoint_dir": "logs/x", "pretrained_checkpoint": None,
    "lr": 1e-4,
}  # fmt: skip


def shapes_of(variant: dict) -> dict:
    """Name -> shape of PyTorch's networks, without their values."""
    size = 256 >> variant["warp_level"]
    with torch.device("meta"):
        cnet = networks.CNet(variant["warp_level"], variant["norm_type"], variant["cnet_width"])
        names = ("uv_res", "uv_channels", "warp_level", "norm_type", "lnet_width", "cnet_width")
        lnet = networks.LNet(np.zeros((1, size, size, 3), np.float32), *(variant[name] for name in names))
    parts = {"CNet": cnet.state_dict(), "LNet": lnet.state_dict()}
    return {f"{part}.{name}": tuple(value.shape) for part, state in parts.items() for name, value in state.items()}


@pytest.fixture(scope="module")
def shapes():
    return shapes_of(RELEASED)


def settle(shapes, *words, config=None):
    parser = TrainOptions()
    options = parser.parse_args([str(word) for word in words])
    architecture.settle(options, parser.given([str(word) for word in words]), shapes, "decomr.pt", config)
    return options


def write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# ---- from shapes ----


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shapes_of_the_weights_show_the_architecture(variant):
    assert architecture.read_from_shapes(shapes_of(variant), "decomr.pt") == variant


def test_what_shapes_do_not_show_is_said_in_one_line(shapes, capsys):
    options = settle(shapes)
    assert (options.uv_type, options.img_res, options.uv_channels) == ("BF", 224, 64)
    last = capsys.readouterr().out.splitlines()[-1]
    assert "taken as uv_type BF, img_res 224; give --uv_type ... and --img_res ... if it is another" in last
    options = settle(shapes, "--uv_type", "SMPL", "--img_res", 256)
    assert (options.uv_type, options.img_res) == ("SMPL", 256)
    assert "taken as" not in capsys.readouterr().out


def test_an_option_against_the_weights_is_refused_with_the_one_that_fits(shapes):
    with pytest.raises(
        UserError, match=r"--uv_channels is 128, but the weights in decomr.pt have 64: give --uv_channels 64"
    ):
        settle(shapes, "--uv_channels", 128)


def test_weights_of_another_layout_are_named(shapes):
    others = {name: shape for name, shape in shapes.items() if "fc_head" not in name}
    with pytest.raises(UserError, match=r"decomr.pt is not a DecoMR of the published layout: it has no LNet.fc_head.3"):
        settle(others)


# ---- from config.json ----


def test_the_release_s_config_json_lies_beside_the_weights_or_one_folder_up(tmp_path):
    folders = [tmp_path / "run/checkpoints", tmp_path / "run"]
    folders[0].mkdir(parents=True)
    assert architecture.find_config(folders) is None
    above = write(folders[1], RELEASED_CONFIG)
    assert architecture.find_config(folders) == above
    write(folders[0], {"architectures": ["BertModel"], "model": "bert", "img_res": 3})  # of another program
    assert architecture.find_config(folders) == above
    beside = write(folders[0], RELEASED_CONFIG)
    assert architecture.find_config(folders) == beside


def test_the_release_s_config_json_says_what_shapes_do_not_show(shapes, tmp_path, capsys):
    options = settle(shapes, config=write(tmp_path, RELEASED_CONFIG | {"img_res": "192"}))
    assert {name: getattr(options, name) for name in RELEASED} == RELEASED
    assert (options.uv_type, options.img_res) == ("SMPL", 192)
    assert "taken as" not in capsys.readouterr().out
    assert options.lr == TrainOptions().parse_args([]).lr  # nothing but the architecture is taken


def test_options_win_over_config_json(shapes, tmp_path):
    path = write(tmp_path, RELEASED_CONFIG | {"uv_channels": 128, "norm_type": "gn"})
    options = settle(shapes, "--uv_channels", 64, "--norm_type", "GN", "--uv_type", "BF", config=path)
    assert (options.uv_channels, options.uv_type) == (64, "BF")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"uv_channels": 128}, r"config.json says uv_channels 128, but the weights in decomr.pt have 64: give --uv_ch"),
        ({"uv_channels": 64, "uv_res": 512}, r"config.json: argument --uv_res: invalid choice: 512"),
        ({"uv_channels": "many"}, r"config.json: argument --uv_channels: invalid int value: 'many'"),
    ],
)  # fmt: skip
def test_a_config_json_that_does_not_fit_is_one_line(shapes, tmp_path, content, line):
    with pytest.raises(UserError, match=line):
        settle(shapes, config=write(tmp_path, content))


@pytest.mark.parametrize("content", ["{", "[" * 5000])
def test_a_damaged_config_json_is_named(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(UserError, match=r"config.json cannot be read: .*by options"):
        architecture.find_config([tmp_path])


# ---- beside the converted weights ----


def test_the_written_config_json_gives_the_same_architecture_and_serves_as_options(shapes, tmp_path):
    options = settle(shapes, "--uv_type", "SMPL", "--img_res", 192)
    target = tmp_path / "dmr_1.ckpt"
    assert not architecture.refuse_other_config(options, target)
    architecture.write_config(options, target)
    assert architecture.refuse_other_config(options, target)
    adopted = TrainOptions().parse_args([])
    checkpoint.adopt_architecture(adopted, target, given=set())
    read = TrainOptions().parse_args(["--from_json", str(tmp_path / "config.json")])
    for name in checkpoint.ARCHITECTURE:
        assert getattr(adopted, name) == getattr(options, name) == getattr(read, name)


def test_the_release_s_own_config_json_stays_as_it_is(shapes, tmp_path):
    options = settle(shapes, config=write(tmp_path, RELEASED_CONFIG))
    assert architecture.refuse_other_config(options, tmp_path / "dmr_1.ckpt")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            {"uv_channels": 128},
            r"config.json is of another network, with uv_channels 128; these weights have 64. Choose",
        ),
        ({"uv_res": 128}, r"with uv_channels 128; these weights have 64"),  # what it leaves out is as by default
        ("{", r"config.json cannot be read: .* Choose another folder for dmr_1.ckpt, or move config.json away"),
    ],
)
def test_a_config_json_of_another_network_is_not_replaced(shapes, tmp_path, content, line):
    path = write(tmp_path, content)
    before = path.read_bytes()
    with pytest.raises(UserError, match=line):
        architecture.refuse_other_config(settle(shapes), tmp_path / "dmr_1.ckpt")
    assert path.read_bytes() == before
