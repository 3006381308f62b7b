"""MindSpore's compile cache for the first step of a stage, with a folder for all graphs that differ from others.

Before MindSpore takes a graph from its cache it compares source files only. But options, body and atlas are constants
inside a graph, and graphs are told apart by the order in which a process compiles them: in one folder, one graph
would be taken for another. Here the folder's name is a fingerprint of everything that the graphs of a step are made
of. MindSpore reads the name of the folder once in a process, which therefore can cache one step only.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn

from utils.environment import environment_variables
from utils.files import make_folder
from utils.folder_lock import FolderLock

SWITCH, FOLDER = "MS_COMPILER_CACHE_ENABLE", "MS_COMPILER_CACHE_PATH"
REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = ("atlas", "models", "training", "utils")
# of the attributes that every cell has, those that shape its graph; the others count instances and runs
OF_EVERY_CELL = ("_cells", "_params", "training", "requires_grad", "mixed_precision_type", "_amp_level")
OWN_PACKAGES = ("atlas", "models", "utils")
Cells: TypeAlias = nn.Cell | Sequence[nn.Cell]
_used: Path | None = None  # the folder that MindSpore remembers


@contextlib.contextmanager
def compile_cache(folder: str | Path, cells: Cells, inputs, rank: int = 0, world_size: int = 1):
    """While the block compiles `cells` for `inputs`, MindSpore reads and writes their graphs below `folder`.

    cells: one cell, or several in the order in which the block calls them first; `inputs` are the block's.
    Graphs count as kept once a block has ended; what a killed process left is removed. Where another process is at
    it, the block compiles as without a cache. RuntimeError where this process has used another folder before.
    """
    global _used
    place = Path(folder).resolve() / fingerprint(cells, inputs, world_size) / f"rank{rank}"
    if _used not in (None, place):
        raise RuntimeError(f"this process has a compile cache already: {_used}")
    lock, graph, complete = FolderLock(place), place / "graph", place / "complete"
    if not lock.acquire():
        yield
        return
    try:
        _used = place
        if not complete.exists() and graph.exists():
            shutil.rmtree(graph)
        make_folder(graph)
        with environment_variables({SWITCH: "1", FOLDER: str(graph)}):
            yield
        complete.touch()
    finally:
        lock.release()


def fingerprint(cells: Cells, inputs, world_size: int = 1) -> str:
    """64 hex digits that change with the code, the cells and their constants, the shapes of `inputs` and the device."""
    walk = _Walk()
    walk.add([ms.__version__, ms.get_context("device_target"), ms.get_context("mode"), world_size])
    for folder in SOURCES:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            walk.add([str(path.relative_to(REPOSITORY)), path.read_bytes()])
    walk.add(_kinds(inputs))
    walk.add(cells)
    return walk.digest.hexdigest()


def _kinds(inputs) -> list:
    """Types and shapes of nested tensors."""
    return [[str(value.dtype), value.shape] if isinstance(value, Tensor) else _kinds(value) for value in inputs]


class _Walk:
    """A digest of nested cells, objects of this project, and the values they hold."""

    def __init__(self):
        self.digest = hashlib.sha256()
        self.met: dict[int, tuple[int, object]] = {}  # objects are kept, so that no other gets the same id
        # of these _cell_init_args prints the addresses of initialisers
        self.common = {*vars(nn.Cell()), "_cell_init_args"}

    def add(self, value) -> None:
        if isinstance(value, Parameter):  # its value is an input of the graph
            self._words("parameter", value.name, value.shape, value.dtype, value.requires_grad)
        elif isinstance(value, Tensor):
            self.add(value.asnumpy())
        elif isinstance(value, np.ndarray | np.generic):
            self._words("array", value.dtype, value.shape)
            self.digest.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, list | tuple):
            self._words(type(value).__name__, len(value))
            for item in value:
                self.add(item)
        elif isinstance(value, set | frozenset):
            self._words("set", sorted(map(repr, value)))
        elif isinstance(value, dict):
            self._words("mapping", len(value))
            for item in value.items():
                self.add(item)
        elif value is None or isinstance(value, str | bytes | int | float):
            self._words(value)
        else:
            self._add_object(value)

    def _add_object(self, value) -> None:
        """An object is its class and what it holds; of others than cells, primitives and our own, the class alone."""
        self._words(type(value).__module__, type(value).__qualname__)
        if id(value) in self.met:
            self._words("met before", self.met[id(value)][0])
            return
        self.met[id(value)] = len(self.met), value
        if isinstance(value, nn.Cell):
            attributes = {name: vars(value)[name] for name in OF_EVERY_CELL}
            attributes |= {name: item for name, item in vars(value).items() if name not in self.common}
            self.add(attributes)
        elif isinstance(value, ms.ops.Primitive) or type(value).__module__.split(".")[0] in OWN_PACKAGES:
            self.add(dict(vars(value)))

    def _words(self, *words) -> None:
        self.digest.update(repr(words).encode() + b"\n")
