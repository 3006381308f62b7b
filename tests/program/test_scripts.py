"""The launch scripts with a stand-in for Python: arguments, exit codes, logs, signals, and CUDA's libraries."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

STAND_IN = """#!/bin/bash
if [ "$1" = -c ]; then exec python3 "$@"; fi
case "$1" in */utils/interpreter.py) exit 0 ;; esac
printf '<%s>' "$@"; echo
@DOES@
"""
INSTALLED = Path(sys.executable).parent  # msrun is there too
DISTRIBUTE, STANDALONE = "run_train_distribute_gpu.sh", "run_train_standalone_gpu.sh"
DISTRIBUTE_NPU, STANDALONE_NPU = "run_train_distribute_npu.sh", "run_train_standalone_npu.sh"
SIX = ("up-3d", 2, 5, 30, 16, "./my ckpt")


@pytest.fixture
def run(tmp_path):
    """run(script, *words, does=..., launcher=..., **environment): start a script in a folder of its own.

    Launchers are stand-ins as well, but for the one that is named.
    """

    def start(script, *words, does="exit 0", launcher="", wait=True, **environment):
        if launcher:
            environment = {"LAUNCHER": launcher} | environment
        for name in {"python", "mpirun", "msrun"} - {launcher}:
            (tmp_path / name).write_text(STAND_IN.replace("@DOES@", does))
            (tmp_path / name).chmod(0o755)
        path = f"{tmp_path}:{INSTALLED}:{os.environ['PATH']}"
        environment = {"PYTHON": tmp_path / "python", "PATH": path} | environment
        process = subprocess.Popen(
            ["bash", REPOSITORY / "scripts" / script, *map(str, words)], cwd=tmp_path, text=True,
            env=os.environ | {name: str(value) for name, value in environment.items()},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if not wait:
            return process
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    return start


def test_arguments_with_spaces_arrive_whole_and_the_output_is_in_the_log_too(run, tmp_path):
    code, output = run(STANDALONE, *SIX, "--name", "a run")
    assert code == 0
    assert "<--device_id><2>" in output
    assert "<--ckpt_dir><./my ckpt><--name><a run>" in output
    assert (tmp_path / "train_standalone.log").read_text() == output


@pytest.mark.parametrize("script", [STANDALONE, DISTRIBUTE, STANDALONE_NPU, DISTRIBUTE_NPU, "run_eval.sh"])
def test_the_exit_code_is_the_program_s(run, script):
    words = SIX if "train" in script else ("up-3d", 16)
    assert run(script, *words, does="exit 7", LAUNCHER="msrun")[0] == 7


def make_late(folder: Path) -> Path:
    """A file for BASH_ENV: scripts come to know the program that they have started later than it runs."""
    path = folder / "late.sh"
    path.write_text("set -T; trap '[[ $BASH_COMMAND != job=\\$* ]] || sleep 0.3' DEBUG\n")
    return path


def test_the_exit_code_of_a_program_that_has_ended_already_is_known_too(run, tmp_path):
    """As on a busy machine, where the script comes to wait for it later."""
    assert run("run_eval.sh", "up-3d", 16, does="exit 7", BASH_ENV=make_late(tmp_path))[0] == 7


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        (STANDALONE, ("up-3d", 3, 5, 30, "many", "c"), "BATCH_SIZE is 'many', expected a whole number of at least 1"),
        (STANDALONE, ("up-3d", -1, 5, 30, 16, "c"), "DEVICE_ID is '-1', expected a whole number of at least 0"),
        (DISTRIBUTE, ("up-3d", 0, 5, 30, 16, "c"), "NUM_DEVICES is '0', expected a whole number of at least 1"),
        (DISTRIBUTE, ("up-3d", 2, 5, "3.5", 16, "c"), "EPOCHS_END is '3.5', expected a whole number"),
        ("run_eval.sh", ("up-3d", "--num_vis"), "BATCH_SIZE is '--num_vis', expected a whole number"),
    ],
)
def test_words_in_place_of_numbers_are_refused(run, script, words, message):
    code, output = run(script, *words)
    assert code == 2
    assert output.startswith(f"{script}: error: {message}")
    assert len(output.splitlines()) == 1


def test_in_the_background_only_the_log_has_the_output(run, tmp_path):
    code, output = run(STANDALONE, *SIX, NOHUP=1)
    assert code == 0
    assert output.startswith("started in the background, process ")
    deadline = time.time() + 10
    while "<--dataset><up-3d>" not in (tmp_path / "train_standalone.log").read_text():
        assert time.time() < deadline
        time.sleep(0.02)


def test_several_machines_with_mpirun_share_a_host_file(run, tmp_path):
    hosts = tmp_path / "my hosts"
    hosts.write_text("one slots=1\ntwo slots=1\n")
    _, output = run(DISTRIBUTE, *SIX, LAUNCHER="mpirun", HOSTFILE=hosts, DECOMR_DATA="/data")
    assert f"<--allow-run-as-root><--bind-to><none><-n><2><--hostfile><{hosts}>" in output
    assert "<-x><DECOMR_DATA>" in output
    code, output = run(DISTRIBUTE, *SIX, LAUNCHER="mpirun", HOSTFILE="nowhere")
    assert (code, output) == (2, f"{DISTRIBUTE}: error: HOSTFILE 'nowhere' does not exist.\n")


def test_several_machines_with_msrun_meet_at_the_scheduler_s_address(run):
    place = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": 9000, "NODE_RANK": 1, "LOCAL_DEVICES": 1}
    _, output = run(DISTRIBUTE, *SIX, LAUNCHER="msrun", **place)
    expected = "<--worker_num=2><--local_worker_num=1><--master_addr=10.0.0.1><--master_port=9000><--node_rank=1>"
    assert expected in output


def test_npus_are_trained_on_by_msrun_whatever_the_machine_has(run):
    _, output = run(DISTRIBUTE_NPU, *SIX, LAUNCHER="mpirun")
    assert "<--worker_num=2><--local_worker_num=2>" in output
    assert "train.py><--device_target><Ascend><--run_distribute><True><--ngpu><2>" in output
    _, output = run(STANDALONE_NPU, *SIX)
    assert "train.py><--device_target><Ascend><--dataset><up-3d><--device_id><2>" in output


@pytest.mark.parametrize("script", [STANDALONE, DISTRIBUTE, STANDALONE_NPU, DISTRIBUTE_NPU])
def test_too_few_words_are_told_the_usage_of_that_script(run, script):
    code, output = run(script, *SIX[:5])
    assert code == 2
    place = "NUM_DEVICES" if "distribute" in script else "DEVICE_ID"
    assert output.startswith(f"usage: bash {script} DATASET {place} EPOCHS_DP ")


def test_an_unknown_launcher_is_refused(run):
    code, output = run(DISTRIBUTE, *SIX, LAUNCHER="slurm")
    assert (code, output) == (2, f"{DISTRIBUTE}: error: LAUNCHER is 'slurm', expected mpirun or msrun.\n")


SAVES = "trap 'echo saving; sleep 0.3; echo saved; exit 143' TERM; echo ready; while :; do sleep 0.05; done"


def assert_saves_when_terminated(process: subprocess.Popen) -> None:
    """Signal a script that runs SAVES, once that is ready."""
    while process.stdout.readline() != "ready\n":
        pass
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert output == "saving\nsaved\n"
    assert process.returncode == 143


def test_a_signal_reaches_training_which_saves_before_the_script_ends(run):
    assert_saves_when_terminated(run(STANDALONE, *SIX, does=SAVES, wait=False))


def test_a_signal_that_comes_at_once_reaches_training_too(run, tmp_path):
    assert_saves_when_terminated(run(STANDALONE, *SIX, does=SAVES, wait=False, BASH_ENV=make_late(tmp_path)))


def test_a_signal_passes_the_launcher_by(run, tmp_path):
    """The launcher has an exit code of its own for a rank that ended as asked."""
    rank = tmp_path / "train.py"
    rank.write_text(SAVES)
    does = f"bash {rank} & wait; exit 1"
    assert_saves_when_terminated(run(DISTRIBUTE, *SIX, does=does, wait=False, LAUNCHER="msrun"))


RANK_1_IS_KILLED = """
[ "${MS_ROLE:-}" != MS_SCHED ] || exit 1
[ "${OMPI_COMM_WORLD_RANK:-${RANK_ID:-}}" != 1 ] || kill -9 $$
sleep 50
"""


@pytest.mark.parametrize(
    "launcher",
    ["msrun", pytest.param("mpirun", marks=pytest.mark.skipif(not shutil.which("mpirun"), reason="no openmpi-bin"))],
)
def test_a_killed_rank_is_named_in_the_last_line(run, tmp_path, launcher):
    code, output = run(DISTRIBUTE, *SIX, does=RANK_1_IS_KILLED, launcher=launcher)
    assert code not in (0, 2)
    last = output.splitlines()[-1]
    assert last.startswith(f"{DISTRIBUTE}: error: a rank was killed by signal 9, and the launcher ended the others.")
    assert (tmp_path / "train_distribute.log").read_text().endswith(f"{last}\n")


def test_an_error_of_a_rank_that_msrun_does_not_show_is_shown(run, tmp_path):
    earlier = tmp_path / "msrun_log/worker_5.log"  # of a run of more ranks
    earlier.parent.mkdir()
    earlier.write_text("train.py: error: long ago\n")
    os.utime(earlier, (0, 0))
    does = """
        echo 'train.py: error: here' | tee msrun_log/worker_0.log
        echo 'train.py: error: there' > msrun_log/worker_1.log
        exit 1
    """
    _, output = run(DISTRIBUTE, *SIX, does=does, LAUNCHER="msrun")
    assert output.splitlines()[-2:] == ["train.py: error: here", "train.py: error: there"]
    assert "long ago" not in output


def source_env_gpu(command: str, wheels, **variables) -> subprocess.CompletedProcess:
    environment = {"PATH": os.environ["PATH"], "CUDA_WHEELS": str(wheels), **variables}
    return subprocess.run(["bash", "-c", command, REPOSITORY], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("release", ["11.6", "11.8", "10.1", "12.4", ""])
def test_a_cuda_that_mindspore_cannot_use_gives_way_to_the_wheels_and_is_named(tmp_path, release):
    """MindSpore asks CUDA_HOME/bin/nvcc and loads no GPU part for another release."""
    (tmp_path / "nvidia" / "cuda_runtime" / "lib").mkdir(parents=True)
    home = tmp_path / "cuda"
    (home / "bin").mkdir(parents=True)
    if release:
        (home / "bin/nvcc").write_text(f'#!/bin/sh\necho "Cuda compilation tools, release {release}, V{release}.99"\n')
        (home / "bin/nvcc").chmod(0o755)
    command = '. "$0/scripts/env_gpu.sh"; echo "$CUDA_HOME"'
    result = source_env_gpu(command, tmp_path, CUDA_HOME=str(home))
    if release in ("11.6", "11.8"):
        assert (result.stdout, result.stderr) == (f"{home}\n", "")
    else:
        assert result.stdout == f"{tmp_path}/nvidia/nvcc_stand_in\n"
        named = (
            f"CUDA_HOME={home} is CUDA {release}, not CUDA 11.6" if release else f"CUDA_HOME={home} is not CUDA 11.6"
        )
        assert named in result.stderr and len(result.stderr.splitlines()) == 1
    # what is chosen stays when the file is sourced again, and nothing more is said
    again = source_env_gpu(command, tmp_path, CUDA_HOME=result.stdout.strip())
    assert (again.stdout, again.stderr) == (result.stdout, "")


def test_cuda_s_wheels_are_found_and_nothing_changes_without_them(tmp_path):
    command = '. "$0/scripts/env_gpu.sh"; echo "$LD_LIBRARY_PATH|$CUDA_HOME"; "$CUDA_HOME/bin/nvcc" --version'

    def source(wheels) -> str:
        return source_env_gpu(command, wheels, LD_LIBRARY_PATH="/before").stdout

    assert source(tmp_path).startswith("/before|\n")
    for part in ("cuda_runtime", "cudnn"):
        (tmp_path / "nvidia" / part / "lib").mkdir(parents=True)
    paths, nvcc = source(tmp_path).splitlines()
    folders, home = paths.split("|")
    assert f"{tmp_path}/nvidia/cudnn/lib" in folders.split(":")
    assert folders.endswith(":/before")
    assert home == f"{tmp_path}/nvidia/nvcc_stand_in"
    assert "release 11.6" in nvcc
