"""Training on NPUs, as far as a stand-in shows: it compiles, launches, and wastes nothing in a step."""

from collections import Counter

import pytest

from tests.conftest import REPOSITORY
from tests.fake_npu import stand_in
from tests.fake_npu.record import Record
from tests.helpers.short_train import BATCH, SAMPLES, STEPS, WORDS, both_stages, run, short_python
from tests.models.test_distributed import free_port

pytestmark = pytest.mark.slow

RANKS = 2
FEW_CORES = 2  # of the host: MindSpore then compiles no graph with a branch on a tensor
STATUS = 3 * 4  # bytes of models.training_step.Status
STEP_COUNTER = "AssignAdd"  # of Adam; launched once a step


def of_training(log) -> list[Record]:
    """What each rank did; other processes launch nothing."""
    return [process for process in Record.read(log).processes().values() if process.operators()]


def last_step(process: Record, stage: str) -> Record:
    """Of `both_stages`, what lies between Adam's counting in the last step but one of a stage and in the last."""
    pieces = [piece for _, piece in process.steps(STEP_COUNTER)]
    assert len(pieces) == 2 * STEPS
    return pieces[(STEPS if stage == "dp" else 2 * STEPS) - 2]


@pytest.fixture(scope="module")
def float32(tmp_path_factory, generated_root):
    """(what was recorded, output) of both stages in graph mode."""
    folder = tmp_path_factory.mktemp("float32")
    environment = stand_in.environment(log=folder / "log", cores=FEW_CORES)
    output = both_stages(folder, generated_root, environment, "--device_target", "Ascend").stdout
    (process,) = of_training(folder / "log")
    return process, output


def test_both_stages_run_in_graph_mode_and_no_operator_leaves_the_matrix_cores(float32):
    process, output = float32
    assert "device Ascend (as asked), graph mode" in output
    assert process.operators("aicpu") == {}
    assert process.refused == []
    assert not [call for name in process.operators() for call in process.signatures(name) if "float64" in call]


@pytest.mark.parametrize("stage", ["dp", "end"])
def test_a_step_reads_one_status_back_and_copies_nothing_but_the_batch(float32, stage):
    step = last_step(float32[0], stage)
    assert [copy.size for copy in step.copies("device_to_host")] == [STATUS]
    assert Counter(copy.size for copy in step.copies("host_to_device")) == BATCH[stage]
    assert len(step.waits()) <= 3
    assert step.collectives() == []


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_half_precision_keeps_norms_losses_and_adam_in_float32(tmp_path, generated_root, mode):
    environment = stand_in.environment(log=tmp_path / "log", cores=FEW_CORES)
    stage = () if mode == "graph" else ("--stage", "dp")
    words = ("--device_target", "Ascend", "--amp_level", "O2", "--mode", mode, *stage)
    both_stages(tmp_path, generated_root, environment, *words)
    (process,) = of_training(tmp_path / "log")
    assert process.operators("aicpu") == {}
    for name in ("ApplyAdamD", "L2Loss", "aclnnLog", "aclnnRsqrt", "aclnnIsFinite"):
        assert process.signatures(name)
        assert not [call for call in process.signatures(name) if "float16" in call], name
    convolutions = [name for name in process.operators() if name.startswith(("Conv2D", "aclnnConvolution"))]
    assert convolutions
    assert any("float16" in call for name in convolutions for call in process.signatures(name))


def test_the_script_for_several_npus_runs_both_stages_with_one_reduction_a_step(tmp_path, generated_root):
    environment = stand_in.environment(devices=RANKS, log=tmp_path / "log", cores=FEW_CORES)
    environment |= {"PYTHON": short_python(tmp_path), "MASTER_PORT": str(free_port())}
    script = REPOSITORY / "scripts/run_train_distribute_npu.sh"
    words = ("up-3d", RANKS, 1, 1, SAMPLES // RANKS, "./ckpt", *WORDS)
    run(tmp_path, generated_root, environment, "bash", script, *words)
    ranks = of_training(tmp_path / "log")
    assert len(ranks) == RANKS
    for process in ranks:
        exchanged = Counter(collective.name for collective in last_step(process, "end").collectives())
        assert exchanged == {"HcclAllReduce": 1, "HcclAllGather": 2}
    assert all((tmp_path / f"ckpt/rank{rank}/dmr_1.ckpt").is_file() for rank in range(RANKS))
