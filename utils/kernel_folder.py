"""Where code that is compiled for this machine is kept."""

import hashlib
import os
from pathlib import Path

import mindspore as ms

PROCESSOR = Path("/proc/cpuinfo")


def kernel_folder() -> Path:
    """The folder of this MindSpore's kernels for this processor, below the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    processor = [line for line in PROCESSOR.read_text().splitlines() if line.startswith(("flags", "model"))]
    name = hashlib.sha256("\n".join([ms.__version__, *sorted(set(processor))]).encode()).hexdigest()[:12]
    return cache / "decomr-mindspore" / f"kernels-{name}"
