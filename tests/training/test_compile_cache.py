"""The compile cache of a step: which graphs share a folder, and that a graph from it trains as a new one does."""

import os
from pathlib import Path

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from models.WithLossCellDP import WithLossCellDP
from tests.conftest import run_script
from tests.helpers.tiny_decomr import make_options
from training.compile_cache import FOLDER, SWITCH, compile_cache, fingerprint
from training.engine import Training
from training.stages import STAGES, build_cnet, build_step
from utils.checkpoints.checkpoint import read_checkpoint
from utils.errors import UserError


class Scaled(nn.Cell):
    """A cell with a constant, a number, a list, a primitive and a parameter."""

    def __init__(self, constant=2.0, factor=3, weights=(1.0, 2.0), axis=1, size=4):
        super().__init__()
        self.constant = ms.Tensor([constant], ms.float32)
        self.factor = factor
        self.weights = list(weights)
        self.softmax = ops.Softmax(axis)
        self.dense = nn.Dense(size, 2)

    def construct(self, values):
        return self.softmax(self.dense(values)) * self.constant * self.factor


def inputs(size: int = 4) -> list:
    return [ms.ops.zeros((2, size), ms.float32)]


def test_equal_cells_have_one_fingerprint_and_others_another():
    expected = fingerprint(Scaled(), inputs())
    assert fingerprint(Scaled(), inputs()) == expected  # random weights are inputs of a graph
    others = [Scaled(constant=2.5), Scaled(factor=4), Scaled(weights=(1, 3)), Scaled(axis=0), Scaled(size=5)]
    others += [Scaled(factor=factor) for factor in (np.float32(3.5), np.float32(4.5), {3}, {4})]
    others += [Scaled().set_train(True)]
    frozen = Scaled()
    frozen.dense.weight.requires_grad = False
    found = {expected, *(fingerprint(cell, inputs()) for cell in [*others, frozen])}
    found |= {fingerprint(Scaled(), inputs(5)), fingerprint(Scaled(), inputs(), world_size=2)}
    found |= {fingerprint(Scaled(), [tuple(inputs())])}
    assert len(found) == 1 + len(others) + 4


def test_the_weights_of_the_losses_tell_steps_apart():
    found = []
    for weight in (0.2, 0.2, 0.3):
        options = make_options("--lam_dp_mask", weight)
        cell, _ = build_step(STAGES["dp"], build_cnet(options), options)
        assert isinstance(cell.network, WithLossCellDP)
        found.append(fingerprint(cell, inputs()))
    assert found[0] == found[1] != found[2]


def test_what_the_cache_cannot_keep_is_refused():
    with pytest.raises(UserError, match="--compile_cache holds one graph a step; --accumulate takes two"):
        Training(make_options("--compile_cache", "cache", "--accumulate", 2), None, None, None, None)


@pytest.fixture
def fresh_process(monkeypatch):
    monkeypatch.setattr("training.compile_cache._used", None)
    monkeypatch.setenv(FOLDER, "elsewhere")
    monkeypatch.delenv(SWITCH, raising=False)


@pytest.mark.usefixtures("fresh_process")
def test_mindspore_s_settings_stand_only_inside_and_come_back(tmp_path):
    with pytest.raises(RuntimeError, match="fails inside"), compile_cache(tmp_path, Scaled(), inputs()):
        assert os.environ[SWITCH] == "1"
        assert os.environ[FOLDER].startswith(str(tmp_path))
        raise RuntimeError("fails inside")
    assert os.environ[FOLDER] == "elsewhere"
    assert SWITCH not in os.environ
    other = compile_cache(tmp_path, Scaled(factor=4), inputs())
    with pytest.raises(RuntimeError, match="has a compile cache already"), other:
        pass


@pytest.mark.usefixtures("fresh_process")
def test_only_what_a_finished_block_wrote_is_kept(tmp_path):
    def found() -> bool:
        with compile_cache(tmp_path, Scaled(), inputs()):
            graph = Path(os.environ[FOLDER]) / "graph.mindir"
            was_there = graph.exists()
            graph.touch()
            return was_there

    with pytest.raises(KeyboardInterrupt), compile_cache(tmp_path, Scaled(), inputs()):
        (Path(os.environ[FOLDER]) / "graph.mindir").touch()
        raise KeyboardInterrupt
    assert [found(), found()] == [False, True]


@pytest.mark.usefixtures("fresh_process")
def test_a_second_process_at_the_same_graph_compiles_without_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.folder_lock.FolderLock.acquire", lambda self: False)
    with compile_cache(tmp_path, Scaled(), inputs()):
        assert SWITCH not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "weights_of_it", "expected"), [("dp", "CNet_1.ckpt", 1), ("end", "dmr_1.ckpt", 2)])
def test_a_second_start_takes_its_graphs_from_the_cache_and_trains_the_same(
    generated_root, tmp_path, stage, weights_of_it, expected
):
    """Stage end has two: the ground truth's and the step's."""
    weights, graphs = [], []
    for name in ("first", "second"):
        folder = tmp_path / name
        run_script(
            "train.py", "--stage", stage, "--img_res", 64, "--lnet_width", 0.125, "--num_workers", 1, "--batch_size", 6,
            "--mode", "graph", f"--num_epochs_{stage}", 1, "--ckpt_dir", folder / "ckpt", "--log_dir", folder / "logs",
            "--compile_cache", tmp_path / "cache", data_dir=generated_root,
        )  # fmt: skip
        found = read_checkpoint(folder / "ckpt/rank0" / weights_of_it)
        weights.append({key: value.asnumpy() for key, value in found.items()})
        graphs.append({path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.mindir")})
    assert len(graphs[0]) == expected
    assert graphs[1] == graphs[0]  # taken, not written anew
    for key, value in weights[0].items():
        np.testing.assert_array_equal(weights[1][key], value, err_msg=key)
