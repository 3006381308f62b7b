"""Fused kernels: on a CPU only, kept for one processor and one MindSpore; what they compute is compared elsewhere."""

import pytest

from utils import kernel_folder, kernel_fusion
from utils.errors import UserError


def test_other_devices_are_refused():
    with pytest.raises(UserError, match=r"^--mode fused is for the CPU, not for GPU: choose --mode graph\.$"):
        kernel_fusion.enable("GPU")


def test_kernels_of_another_processor_or_mindspore_are_not_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = kernel_folder.kernel_folder()
    assert own.parent.parent == tmp_path
    assert own == kernel_folder.kernel_folder()
    monkeypatch.setattr(kernel_folder, "PROCESSOR", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("model name : another\nflags : avx2\n")
    other = kernel_folder.kernel_folder()
    monkeypatch.setattr(kernel_folder.ms, "__version__", "3")
    assert len({own, other, kernel_folder.kernel_folder()}) == 3
