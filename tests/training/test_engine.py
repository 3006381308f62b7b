"""The training loop from its data to its files, with networks of a few hundred parameters."""

import utils.environment  # noqa: F401, I001  before MindSpore

import json

import mindspore as ms
import numpy as np
import pytest

from datasets.preprocess import up_3d
from tests.helpers import tiny_decomr
from tests.helpers.tiny_up3d import write_data
from tests.reliability import thin_networks
from training import engine
from training.guards import Stopped, StopRequests
from training.ranks import Ranks
from training.run_log import RunLog
from training.saved_states import SavedStates
from utils.checkpoints.checkpoint import read_checkpoint

SAMPLES = 8  # the last is the test image
BATCH = 2
STEPS = 3  # of an epoch
WORDS = ("--batch_size", BATCH, "--num_workers", 1, "--log_freq", 1, "--num_epochs_dp", 1, "--num_epochs_end", 1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data root with a prepared UP-3D of the tiny body, set as the data root of this process."""
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        write_data(root, SAMPLES)
        data_set = up_3d.Up3D()
        data_set.make_split("train", 1)
        data_set.make_iuv(up_3d.Up3D().npz_file("train"), "BF", 1)
        yield root


@pytest.fixture(autouse=True)
def thin(prepared, monkeypatch):
    thin_networks.install(monkeypatch.setattr)


def train(folder, *words) -> None:
    options = tiny_decomr.make_options(*WORDS, "--log_dir", folder / "logs", "--name", "run", *words)
    ms.set_seed(options.seed)
    (folder / "rank0").mkdir(parents=True, exist_ok=True)
    ranks = Ranks()
    with RunLog(options) as log, StopRequests(ranks, options.time_to_run) as stop:
        engine.Training(options, ranks, log, stop, folder / "rank0").run()


def weights(folder, name: str) -> dict:
    return {key: value.asnumpy() for key, value in read_checkpoint(folder / "rank0" / name).items()}


def metrics(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "logs/run/metrics.jsonl").read_text().splitlines()]


def assert_same_weights(folder, other, name: str) -> None:
    found, expected = weights(folder, name), weights(other, name)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """A run of both stages, of one epoch each."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        thin_networks.install(patch.setattr)
        train(folder)
    return folder


def test_a_run_writes_weights_a_state_and_its_losses_for_every_epoch(whole):
    files = {path.name for path in (whole / "rank0").glob("*.ckpt")}
    assert files == {"CNet_1.ckpt", "dmr_1.ckpt", f"state_0_{STEPS:09d}.ckpt", f"state_1_{STEPS:09d}.ckpt"}
    found = metrics(whole)
    expected = [(stage, step + 1) for stage in ("dp", "end") for step in range(STEPS)]
    assert [(entry["stage"], entry["step"]) for entry in found] == expected
    for entry in found:
        terms = [value for name, value in entry["losses"].items() if name != "total"]
        assert entry["losses"]["total"] == pytest.approx(sum(terms), rel=1e-5)


@pytest.mark.parametrize(("before", "now"), [(("--compile_cache", "cache"), ()), ((), ("--compile_cache", "cache"))])
def test_a_stopped_run_ends_with_the_same_bits_whatever_its_compile_cache(whole, tmp_path, before, now):
    with pytest.raises(Stopped, match="--time_to_run: stopped after 0 s"):
        train(tmp_path, "--stage", "dp", "--time_to_run", 0, *before)
    assert [entry["step"] for entry in metrics(tmp_path)] == [1]
    train(tmp_path, "--stage", "dp", "--resume", *now)
    assert [entry["step"] for entry in metrics(tmp_path)] == list(range(1, STEPS + 1))
    assert_same_weights(tmp_path, whole, "CNet_1.ckpt")


def test_validation_and_pictures_do_not_change_the_training(tmp_path):
    words = ("--stage", "dp", "--val_share", 0.3)
    train(tmp_path / "watched", *words, "--test_steps", 1, "--summary_steps", 1)
    train(tmp_path / "unwatched", *words, "--test_steps", 1000, "--summary_steps", 1000)
    assert_same_weights(tmp_path / "watched", tmp_path / "unwatched", "CNet_1.ckpt")
    assert [entry["step"] for entry in metrics(tmp_path / "watched") if "validation" in entry] == [1, 2]
    assert (tmp_path / "watched/logs/run/dp_networks_0000002.png").is_file()


def test_stage_end_is_validated_by_the_errors_of_the_mesh_and_keeps_its_best_weights(tmp_path):
    train(tmp_path, "--stage", "end", "--val_share", 0.3, "--test_steps", 1, "--summary_steps", 1)
    found = [entry["validation"] for entry in metrics(tmp_path) if "validation" in entry]
    assert len(found) == 2
    for values in found:
        assert set(values) - {"shape_error", "mpjpe", "pa_mpjpe"} == set(metrics(tmp_path)[0]["losses"])
        assert min(values["shape_error"], values["mpjpe"], values["pa_mpjpe"]) > 0
    best = min((1, 2), key=lambda step: found[step - 1]["shape_error"])
    record = SavedStates(tmp_path / "rank0", 3, resumed=True).newest_sound(None, print).record
    assert record["best"]["end"] == {"step": best, "value": found[best - 1]["shape_error"]}
    assert weights(tmp_path, "dmr_best.ckpt").keys() == weights(tmp_path, "dmr_1.ckpt").keys()
    assert (tmp_path / "logs/run/end_networks_0000001.png").is_file()
