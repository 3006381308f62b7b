"""Two ranks on two GPUs, as far as a stand-in shows: mpirun starts them, and their graphs compile and reduce once."""

import shutil
from collections import Counter

import pytest

from tests.conftest import REPOSITORY
from tests.fake_gpu import record, stand_in
from tests.helpers.short_train import BLOCKS, SAMPLES, WORDS, run, short_python

RANKS, STEPS = 2, 3
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="mpirun is not installed (openmpi-bin)"),
]


def train(folder, root, *words) -> list[record.Record]:
    """The third step of the last stage, of each rank, of the script for several GPUs."""
    environment = stand_in.environment(devices=RANKS, log=folder / "log")
    environment["PYTHON"] = short_python(folder)
    environment["OMPI_MCA_rmaps_base_oversubscribe"] = "1"  # ranks may be more than cores
    script = REPOSITORY / "scripts/run_train_distribute_gpu.sh"
    output = run(
        folder, root, environment, "bash", script, "up-3d", RANKS, 1, 1, SAMPLES // RANKS, "./ckpt", *WORDS, *words
    ).stdout
    assert "device GPU (usable here), graph mode, rank 0 of 2" in output
    found = [process.steps("ApplyAdam") for process in record.read(folder / "log")]
    found = [steps for steps in found if steps]
    assert [len(steps) % STEPS for steps in found] == [0, 0]
    return [steps[-1] for steps in found]


def exchanged(step: record.Record) -> Counter:
    return Counter(collective.function for collective in step.collectives())


def test_the_script_for_several_gpus_runs_both_stages_in_half_precision_with_one_reduction_a_step(
    tmp_path, generated_root
):
    for step in train(tmp_path, generated_root, "--amp_level", "O3"):
        # gradients; flags of the masked means, and the total with the request to stop
        assert exchanged(step) == {"ncclAllReduce": 1, "ncclAllGather": 2}
        assert len(step.waits()) <= 3
        assert len(step.copies("device_to_host")) == 1
    assert all((tmp_path / f"ckpt/rank{rank}/dmr_1.ckpt").is_file() for rank in range(RANKS))


def test_batch_norm_over_all_ranks_gathers_and_reduces_nothing_more(tmp_path, generated_root):
    for step in train(tmp_path, generated_root, "--sync_bn", "--stage", "dp"):
        # the stem, three in a block, one where a stage begins; each gathers twice forward and once backward
        norms = 1 + 3 * sum(BLOCKS) + len(BLOCKS)
        assert exchanged(step) == {"ncclAllReduce": 1, "ncclAllGather": 2 + 3 * norms}
