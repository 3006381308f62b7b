"""The environment in which a program sees the stand-in for NPUs."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.fake_npu import build


def _joined(*paths) -> str:
    """A list of paths, each once, in this order."""
    parts = [part for path in paths for part in str(path).split(":") if part]
    return ":".join(dict.fromkeys(parts))


def environment(
    devices: int = 1,
    finite: bool = True,
    log: str | Path | None = None,
    cores: int = 16,
    absent: Iterable[str] = (),
    refuse: str = "",
    soc: str = "Ascend910B1",
) -> dict[str, str]:
    """Variables for `os.environ | environment(...)`. The libraries are built first where they are not there yet.

    devices: NPUs that the runtime reports
    finite: what aclnnIsFinite says of every number
    log: the file to which every process appends its record (see record.py)
    cores: cores of the processor that MindSpore sees. With 2 to 10, it keeps one thread for its actors and compiles no
        graph with an `if` on a tensor
    absent: names of aclnn functions that are not there
    refuse: an extended regular expression; a call whose text it finds fails. The text is "aclnnXxx(float32[2,3], ...)",
        "Xxx(float32[2,3] -> float32[2])" for the older kind, or "HcclAllReduce(float32[5])"
    soc: the name of the NPU's chip
    """
    home = build.built()
    plugin_folder = build.plugins()
    library_folders = (home / "lib64", plugin_folder / "ascend", plugin_folder.parent)
    given = os.environ
    return {
        "LD_PRELOAD": _joined(home / "lib64" / build.CORE, given.get("LD_PRELOAD", "")),
        "LD_LIBRARY_PATH": _joined(*library_folders, given.get("LD_LIBRARY_PATH", "")),
        "ASCEND_HOME_PATH": str(home),
        "ASCEND_OPP_PATH": str(home / "opp"),
        # msrun starts the first `python` of PATH; programs import `mark` from this package
        "PATH": _joined(Path(sys.executable).parent, given.get("PATH", os.defpath)),
        "PYTHONPATH": _joined(home / "opp/built-in/op_impl/ai_core/tbe", given.get("PYTHONPATH", ""), build.REPOSITORY),
        "FAKE_NPU_HOME": str(home),
        "FAKE_NPU_DEVICES": str(devices),
        "FAKE_NPU_FINITE": "yes" if finite else "no",
        "FAKE_NPU_LOG": "" if log is None else str(Path(log).resolve()),
        "FAKE_NPU_CORES": str(cores),
        "FAKE_NPU_ABSENT": ",".join(absent),
        "FAKE_NPU_REFUSE": refuse,
        "FAKE_NPU_SOC": soc,
    }
