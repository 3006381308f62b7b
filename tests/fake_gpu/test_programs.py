"""The programs on a GPU, as far as a stand-in shows: they compile, launch, and waste nothing in a training step."""

import sys
from collections import Counter

import pytest

from tests.conftest import REPOSITORY
from tests.fake_gpu import record, stand_in
from tests.helpers.short_train import BATCH, STEPS, both_stages, run
from tests.helpers.small_network import random_network
from utils.checkpoints import checkpoint

pytestmark = pytest.mark.slow

STATUS = 3 * 4  # bytes of models.training_step.Status
# MindSpore's kernels for concatenations fetch where their inputs lie, and their lengths, without a wait
CONCATENATIONS = {"dp": 1, "end": 5}
ADDRESSES = 8 * 3
MOST_WAITS = 3


def steps(log, stage: str) -> list[record.Record]:
    """The last of the steps of a stage of each rank, after `both_stages`."""
    number = STEPS - 1 if stage == "dp" else 2 * STEPS - 1
    found = [process.steps("ApplyAdam") for process in record.read(log)]
    found = [steps for steps in found if steps]
    assert found and all(len(steps) == 2 * STEPS for steps in found)
    return [steps[number] for steps in found]


def kernels(log) -> Counter:
    return sum((process.kernels(types=True) for process in record.read(log)), Counter())


@pytest.fixture(scope="module")
def float32(tmp_path_factory, generated_root):
    """(log, output) of both stages in graph mode."""
    folder = tmp_path_factory.mktemp("float32")
    environment = stand_in.environment(log=folder / "log") | stand_in.SHOW_BACKOFFS
    return folder / "log", both_stages(folder, generated_root, environment, "--device_target", "GPU").stdout


def test_both_stages_run_in_graph_mode_and_nothing_falls_back_to_the_cpu(float32):
    log, output = float32
    assert "device GPU (as asked), graph mode" in output
    assert stand_in.backoffs(output) == []
    assert not any("double" in name or "half" in name for name in kernels(log))
    assert [process.refusals() for process in record.read(log)] == [[]]


@pytest.mark.parametrize("stage", ["dp", "end"])
def test_a_step_copies_the_batch_and_one_status_and_hardly_waits(float32, stage):
    (step,) = steps(float32[0], stage)
    sent = Counter(copy.bytes for copy in step.copies("host_to_device"))
    assert not BATCH[stage] - sent
    rest = sent - BATCH[stage]
    assert sum(rest.values()) == 2 * CONCATENATIONS[stage]
    assert max(rest) <= ADDRESSES
    assert [copy.bytes for copy in step.copies("device_to_host")] == [STATUS]
    assert len(step.waits()) <= MOST_WAITS
    assert step.collectives() == []


def test_half_precision_runs_with_norms_losses_and_adam_in_float32(tmp_path, generated_root):
    environment = stand_in.environment(log=tmp_path / "log") | stand_in.SHOW_BACKOFFS
    output = both_stages(tmp_path, generated_root, environment, "--device_target", "GPU", "--amp_level", "O2").stdout
    assert stand_in.backoffs(output) == []
    (process,) = record.read(tmp_path / "log")
    norms = [found for found in process.precisions() if "BatchNormalization" in found.function]
    convolutions = [found for found in process.precisions() if "Convolution" in found.function]
    assert norms and {kind for found in norms for name, kind in found.types.items() if name in "xy"} == {"float32"}
    assert {found.types["x"] for found in convolutions} == {"float16"}
    in_half = {name for name in process.kernels(types=True) if "half" in name and "Cast" not in name}
    assert in_half
    for name in ("Adam", "L2Loss", "SegmentSum", "IsFinite", "GridSampler"):
        assert not [found for found in in_half if name in found]
        assert [found for found in process.kernels(types=True) if name in found]


def convolution_math(process: record.Record) -> set[str]:
    return {found.types["math"] for found in process.precisions() if "Convolution" in found.function}


def test_pynative_mode_runs_both_stages_and_tf32_can_be_switched_off(float32, tmp_path, generated_root):
    environment = stand_in.environment(log=tmp_path / "log")
    words = ("--device_target", "GPU", "--mode", "pynative", "--no_tf32")
    assert "pynative mode" in both_stages(tmp_path, generated_root, environment, *words).stdout
    (process,) = record.read(tmp_path / "log")
    assert process.refusals() == []
    assert convolution_math(process) == {"fma"}
    assert convolution_math(record.read(float32[0])[0]) == {"tensor_op"}


def test_evaluation_and_demo_run(tmp_path, generated_root):
    options, dmr = random_network(generated_root, "--img_res", 64, "--lnet_width", 0.125)
    weights = tmp_path / "dmr_1.ckpt"
    checkpoint.save_weights(dmr, weights)
    checkpoint.save_config(options, tmp_path)
    environment = stand_in.environment(log=tmp_path / "log") | stand_in.SHOW_BACKOFFS
    known = ("--checkpoint", weights, "--device_target", "GPU", "--batch_size", 2)
    evaluated = run(
        tmp_path, generated_root, environment, sys.executable, REPOSITORY / "eval.py", *known, "--num_workers", 1
    )
    assert (tmp_path / "results/up-3d.json").is_file()
    photograph = generated_root / "up-3d/00000_image.png"
    demo = (sys.executable, REPOSITORY / "demo.py", *known, "--img", photograph)
    shown = run(tmp_path, generated_root, environment, *demo)
    assert list(tmp_path.glob("results/demo/*.glb"))
    assert stand_in.backoffs(evaluated.stdout + shown.stdout) == []
