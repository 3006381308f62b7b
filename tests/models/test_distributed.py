"""Two ranks of batch 2 follow the same trajectory as one process of batch 4."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny_decomr
from tests.helpers.network_hosts import two_hosts

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / "tests" / "helpers" / "distributed_program.py"
RANKS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data root and a batch of 4, whose samples without annotations are spread unevenly over the ranks."""
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        batch = tiny_decomr.random_batch(tiny_decomr.Witness(root))
        # rank 0 has no IUV image at all, rank 1 has both
        batch["has_dp"][:] = [0, 0, 1, 1]
        np.savez(root / "batch.npz", **batch)
        yield root


def run(launchers: list[list], folder: Path, name: str, *arguments) -> list:
    """The program started by each of `launchers` at the same time: what each rank wrote."""
    options = [*tiny_decomr.OPTIONS, "--use_smpl_joints", "--device_target", "CPU", "--mode", "graph", *arguments]
    # msrun starts the first `python` of the path
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = dict(os.environ, PATH=path, PYTHONPATH=str(REPOSITORY), DECOMR_DATA=str(folder), OMP_NUM_THREADS="1")
    program = [str(PROGRAM), str(folder), name, *map(str, options)]
    started = [
        subprocess.Popen(
            [*launcher, *program],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for launcher in launchers
    ]
    try:
        told = [process.communicate(timeout=500)[0][-3000:] for process in started]
    finally:
        for process in started:
            process.kill()
    files = sorted(folder.glob(f"{name}_*.npz"))
    assert files, "\n".join(told)
    return [dict(np.load(file)) for file in files]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
def test_two_ranks_follow_one_process(folder):
    """On two hosts, where the machine can have network namespaces. BatchNorm takes its statistics over both ranks."""
    (alone,) = run([[sys.executable]], folder, "alone")
    with two_hosts() as hosts:
        port = free_port()
        launchers = [
            [
                *host.words, Path(sys.executable).with_name("msrun"), f"--worker_num={RANKS}", "--local_worker_num=1",
                f"--master_addr={hosts[0].address}", f"--master_port={port}", f"--node_rank={number}",
                f"--log_dir={folder / f'msrun_log_{number}'}", "--join=True",
            ]
            for number, host in enumerate(hosts)
        ]  # fmt: skip
        ranks = run(launchers, folder, "rank", "--run_distribute", "True", "--ngpu", RANKS)
    assert len(ranks) == RANKS
    losses = np.mean([rank.pop("losses") for rank in ranks], axis=0)
    np.testing.assert_allclose(losses, alone.pop("losses"), rtol=1e-4)
    assert_same_movement(ranks[0], ranks[1])
    assert_same_movement(ranks[0], alone, weights=1e-5, share=0.02, statistics=1e-3)


def assert_same_movement(found: dict, expected: dict, weights: float = 0, share: float = 0, statistics: float = 0):
    """Weights within `weights`, and together within `share` of the length of their way; running statistics (variances
    of activations, of several units: rounding follows them) within `statistics`, absolute and relative."""
    running = {name for name in expected if name.endswith(("moving_mean", "moving_variance"))}
    for name, way in expected.items():
        atol, rtol = (statistics, statistics) if name in running else (weights, 0)
        np.testing.assert_allclose(found[name], way, atol=atol, rtol=rtol, err_msg=name)
    steps = np.concatenate([expected[name].ravel() for name in expected if name not in running])
    errors = np.concatenate([(found[name] - expected[name]).ravel() for name in expected if name not in running])
    assert np.linalg.norm(errors) <= share * np.linalg.norm(steps)
