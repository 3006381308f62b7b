"""Reads the record that programs on the stand-in write: what was copied, waited for and launched, in order."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

KERNEL_LIBRARY = "cuda_ops"


class Copy(NamedTuple):
    """cudaMemcpy ("sync") or cudaMemcpyAsync ("async"). `kind` is host_to_device, device_to_host, and so on."""

    kind: str
    bytes: int
    manner: str


class Wait(NamedTuple):
    """The host waits: cudaStreamSynchronize, cudaDeviceSynchronize, cudaEventSynchronize or cuStreamSynchronize."""

    function: str


class Call(NamedTuple):
    """Any other function of a library ("cudnn"), or a kernel of MindSpore's own (library "cuda_ops", mangled name)."""

    library: str
    function: str

    @property
    def kernel(self) -> str:
        """The kernel's name without types, e.g. "ApplyAdam"; "" for what is not a kernel of MindSpore's own."""
        if self.library != KERNEL_LIBRARY:
            return ""
        found = re.match(r"_Z(\d+)", self.function)
        return self.function[found.end() : found.end() + int(found[1])] if found else self.function


class Collective(NamedTuple):
    """A collective of NCCL, or a send or receive. For ncclAllGather `numbers` are those of one rank."""

    function: str
    numbers: int
    type: str


class Precision(NamedTuple):
    """The types of a product, convolution or norm: x, w, y or a, b, c or parameters, compute, math, mode."""

    function: str
    types: dict[str, str]


class Refused(NamedTuple):
    """What the stand-in for cuDNN refused, and why."""

    text: str


class Mark(NamedTuple):
    """What the program said about where it is (stand_in.mark)."""

    text: str


Event = Copy | Wait | Call | Collective | Precision | Refused | Mark


@dataclass
class Record:
    """The events of one process, or a stretch of them, in the order in which they happened."""

    process: int
    events: list[Event] = field(default_factory=list)

    def kernels(self, types: bool = False) -> Counter[str]:
        """How often each of MindSpore's own kernels was launched, by its name.

        With `types` the names have their template arguments, e.g. "ApplyAdam<float>", where c++filt is installed, and
        are mangled where it is not. Products, convolutions, poolings and norms of cuBLAS and cuDNN are not counted.
        """
        calls = Counter(call for call in self._all(Call) if call.library == KERNEL_LIBRARY)
        if not types:
            names = {call: call.kernel for call in calls}
        else:
            names = dict(zip(calls, _demangled([call.function for call in calls]), strict=True))
        counts: Counter[str] = Counter()
        for call, count in calls.items():
            counts[names[call]] += count
        return counts

    def calls(self, library: str) -> Counter[str]:
        """How often each function of `library` ("cudart", "cublas", "cudnn", "nccl") was called.

        Copies, waits and collectives are not among them, nor the functions in build.SILENT, nor those that only ask
        for something (cudaMemGetInfo, cudnnGetTensorNdDescriptor).
        """
        return Counter(call.function for call in self._all(Call) if call.library == library)

    def copies(self, kind: str | None = None) -> list[Copy]:
        """The copies of one kind, or all, with any number of bytes."""
        return [copy for copy in self._all(Copy) if kind in (None, copy.kind)]

    def waits(self) -> list[Wait]:
        """The waits of the host. A synchronous copy waits too, but is no event of this kind."""
        return list(self._all(Wait))

    def collectives(self) -> list[Collective]:
        """The collectives that this process took part in."""
        return list(self._all(Collective))

    def precisions(self) -> list[Precision]:
        """Every launch of a product (GemmEx), convolution or cuDNN norm, with its types."""
        return list(self._all(Precision))

    def refusals(self) -> list[str]:
        """What the stand-in for cuDNN refused."""
        return [refused.text for refused in self._all(Refused)]

    def steps(self, kernel: str, gap: int = 100) -> list["Record"]:
        """Cut the events into training steps.

        A step ends with the last of a run of launches of the optimiser's kernel, the one whose mangled name contains
        `kernel` (MindSpore's Adam: "ApplyAdam"), which is launched once for each parameter. Launches with fewer than
        `gap` events between them are one run. The first step also holds all that came before it (the weights' way to
        the device, for instance); what follows the last run is in no step.
        """
        launches = [
            i for i, event in enumerate(self.events)
            if isinstance(event, Call) and event.library == KERNEL_LIBRARY and kernel in event.function
        ]  # fmt: skip
        ends = [i for i, following in zip(launches, launches[1:], strict=False) if following - i > gap]
        ends += launches[-1:]
        starts = [0, *(end + 1 for end in ends)]
        return [Record(self.process, self.events[a : b + 1]) for a, b in zip(starts, ends, strict=False)]

    def after(self, mark: str) -> "Record":
        """The events from a mark to the next one, without the two. KeyError if there is no such mark."""
        marks = [i for i, event in enumerate(self.events) if isinstance(event, Mark)]
        for i, following in zip(marks, [*marks[1:], len(self.events)], strict=True):
            if self.events[i] == Mark(mark):
                return Record(self.process, self.events[i + 1 : following])
        raise KeyError(mark)

    def _all(self, kind: type) -> Iterable:
        return (event for event in self.events if isinstance(event, kind))


def read(path: str | Path) -> list[Record]:
    """The record of each process that used the GPU libraries, in the order in which they first wrote."""
    records: dict[int, Record] = {}
    for line in Path(path).read_text().splitlines():
        process, *fields = line.split("\t")
        records.setdefault(int(process), Record(int(process))).events.append(_event(*fields))
    return list(records.values())


def _event(kind: str, *fields: str) -> Event:
    match kind:
        case "copy":
            return Copy(fields[0], int(fields[1]), fields[2])
        case "wait":
            return Wait(*fields)
        case "call":
            return Call(*fields)
        case "collective":
            return Collective(fields[0], int(fields[1]), fields[2])
        case "precision":
            return Precision(fields[0], dict(text.split("=", 1) for text in fields[1:]))
        case "refused":
            return Refused("\t".join(fields))
        case "mark":
            return Mark("\t".join(fields))
    raise ValueError(f"no such kind of event: {kind}")


def _demangled(names: list[str]) -> list[str]:
    """Mangled names as name<types>, without result and arguments."""
    if not names or shutil.which("c++filt") is None:
        return names
    lines = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return [_without_arguments(line.removeprefix("cudaError ")) for line in lines.splitlines()]


def _without_arguments(declaration: str) -> str:
    """Cut a declaration where its list of arguments begins: at the first "(" that is outside of <>."""
    depth = 0
    for place, character in enumerate(declaration):
        depth += (character == "<") - (character == ">")
        if character == "(" and depth == 0:
            return declaration[:place]
    return declaration
