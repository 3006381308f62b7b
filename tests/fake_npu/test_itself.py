"""The stand-in is a witness: it shows what a program does, and that a program fails where CANN would refuse."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.fake_npu import build, stand_in
from tests.fake_npu.record import Copy, Record

PROGRAM = (sys.executable, "-m", "tests.fake_npu.tiny_program")
MATRIX, MAPS, POOLED = 5 * 5 * 4, 2 * 3 * 8 * 8 * 4, 2 * 3 * 4 * 4 * 4  # bytes

pytestmark = pytest.mark.slow


def run(*command, **variables) -> subprocess.CompletedProcess:
    environment = os.environ | variables
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def test_record_counts_what_a_program_launches_and_copies(tmp_path):
    log = tmp_path / "calls"
    result = run(sys.executable, "-m", "tests.fake_npu", "--finite", "no", "--log", log, *PROGRAM)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("shapes (5, 5) (2, 3, 4, 4) finite False") == 2

    record = Record.read(log)
    assert record.marks == ["step 0", "step 1", "end"]
    for _, step in record.steps()[:2]:
        assert step.operators("aclnn") == {"aclnnMatmul": 1, "aclnnIsFinite": 1}
        assert step.operators("aicpu") == {"CustMaxPool3DWithArgmax": 1}
        (matmul,) = step.signatures("aclnnMatmul")
        assert matmul.startswith("(float32[5,5], float32[5,5], float32[5,5]")
    assert len(record.steps(operator="aclnnMatmul")) == 2
    _, second = record.steps()[1]  # the first one also copies constants
    assert {copy.size for copy in second.copies("host_to_device")} == {MATRIX, MAPS}
    assert sorted(copy.size for copy in second.copies("device_to_host")) == [5 * 5, MATRIX, POOLED]
    assert second.waits()
    assert not second.collectives() and not record.refused


def test_absent_function_is_reported():
    result = run(*PROGRAM, "pynative", **stand_in.environment(absent=["aclnnMatmul"]))
    assert result.returncode != 0
    assert "aclnnMatmulGetWorkspaceSize not in" in result.stdout


def test_refused_call_is_reported(tmp_path):
    log = tmp_path / "calls"
    result = run(*PROGRAM, "pynative", **stand_in.environment(refuse=r"^aclnnMatmul\(float32", log=log))
    assert result.returncode != 0
    assert "RuntimeError" in result.stdout and "fake NPU refuses aclnnMatmul(float32[5,5]" in result.stdout
    record = Record.read(log)
    assert len(record.refused) == 1 and not record.operators()["aclnnMatmul"]


def test_no_compiler_is_a_reason_to_skip(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.StandInUnavailable, match="g\\+\\+ is not installed"):
        build.built(tmp_path / "cache")


def test_record_of_two_processes_is_read_apart(tmp_path):
    log = tmp_path / "calls"
    log.write_text("7\tcopy\tdevice_to_host\t12\twaiting\n8\tmark\ta\n7\tcopy\thost_to_device\t3\tqueued\n")
    record = Record.read(log)
    assert record.copies() == [Copy("device_to_host", 12, True), Copy("host_to_device", 3, False)]
    assert list(record.processes()) == [7, 8]
