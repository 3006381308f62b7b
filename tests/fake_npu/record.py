"""Reads the record that a program leaves on the stand-in; `mark` delimits its steps.

The file has one line an event. Fields are separated by tabs; the first is the number of the process:

    copy <direction> <bytes> <waiting|queued>      direction: host_to_device, device_to_host, ...
    wait <function>                                the host waits for a stream, an event or the whole NPU
    launch <aclnn|aclop|aicpu> <name> <signature>  aclop: the older kind; aicpu: MindSpore's own for the NPU's processor
    collective <function> <numbers> <type>
    refused <call>                                 it failed because the user wants it to
    mark <text>                                    the program called `mark`
    other <function>                               the first call of a function that does nothing here
"""

import ctypes
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Copy:
    direction: str
    size: int  # bytes
    waiting: bool


@dataclass(frozen=True)
class Wait:
    function: str


@dataclass(frozen=True)
class Launch:
    kind: str  # aclnn, aclop or aicpu
    name: str
    signature: str


@dataclass(frozen=True)
class Collective:
    name: str
    numbers: int
    type: str


@dataclass(frozen=True)
class Refused:
    call: str


@dataclass(frozen=True)
class Mark:
    text: str


@dataclass(frozen=True)
class Other:
    function: str


Event = Copy | Wait | Launch | Collective | Refused | Mark | Other
MAKERS = {
    "copy": lambda direction, size, how: Copy(direction, int(size), how == "waiting"),
    "wait": Wait,
    "launch": Launch,
    "collective": lambda name, numbers, kind: Collective(name, int(numbers), kind),
    "refused": Refused,
    "mark": Mark,
    "other": Other,
}


@dataclass
class Record:
    """The events of one or more processes: of each process in order, one process after the other."""

    events: dict[int, list[Event]] = field(default_factory=dict)  # by process

    @classmethod
    def read(cls, path: str | Path) -> "Record":
        """The record in this file; an empty one where no process has written it."""
        record = cls()
        path = Path(path)
        for line in path.read_text().splitlines() if path.is_file() else ():
            process, kind, *fields = line.split("\t")
            record.events.setdefault(int(process), []).append(MAKERS[kind](*fields))
        return record

    def __iter__(self):
        """Every event of every process."""
        for events in self.events.values():
            yield from events

    def processes(self) -> dict[int, "Record"]:
        """A record for each process alone, in the order in which they first wrote."""
        return {process: Record({process: events}) for process, events in self.events.items()}

    def of(self, kind: type) -> list:
        """The events of one class."""
        return [event for event in self if isinstance(event, kind)]

    def operators(self, kind: str | None = None) -> Counter[str]:
        """How often each operator was launched, by name. kind: aclnn, aclop or aicpu; without it, all."""
        return Counter(launch.name for launch in self.of(Launch) if kind in (None, launch.kind))

    def signatures(self, name: str) -> list[str]:
        """Types and shapes of every launch of this operator, in order."""
        return [launch.signature for launch in self.of(Launch) if launch.name == name]

    def copies(self, direction: str | None = None) -> list[Copy]:
        """The copies of one direction; without it, all."""
        return [copy for copy in self.of(Copy) if direction in (None, copy.direction)]

    def waits(self) -> list[str]:
        """The functions by which the host waited, in order."""
        return [wait.function for wait in self.of(Wait)]

    def collectives(self) -> list[Collective]:
        return self.of(Collective)

    @property
    def refused(self) -> list[str]:
        return [event.call for event in self.of(Refused)]

    @property
    def marks(self) -> list[str]:
        return [event.text for event in self.of(Mark)]

    def others(self) -> list[str]:
        """Functions that were called and did nothing, each once a process."""
        return [event.function for event in self.of(Other)]

    def steps(self, operator: str | None = None) -> list[tuple[str, "Record"]]:
        """What lies behind each mark and before the next one, as (text of the mark, record), process by process.

        For a program without marks, `operator` names one of which every step launches one: a launch of it begins a
        piece and is part of it. What comes before a process's first mark or first launch belongs to no step.
        """
        return [step for process, events in self.events.items() for step in _steps(process, events, operator)]


def _steps(process: int, events: Iterable[Event], operator: str | None) -> list[tuple[str, Record]]:
    steps: list[tuple[str, Record]] = []
    for event in events:
        if operator is None and isinstance(event, Mark):
            steps.append((event.text, Record({process: []})))
            continue
        if operator is not None and isinstance(event, Launch) and event.name == operator:
            steps.append((operator, Record({process: []})))
        if steps:
            steps[-1][1].events[process].append(event)
    return steps


def mark(text: str) -> None:
    """Put a mark into the record of this process; without the stand-in, do nothing.

    MindSpore launches in threads of its own: read a result (`asnumpy`) or call `mindspore.runtime.synchronize()` before
    a mark, so that everything that comes before it in the program comes before it in the record.
    """
    function = getattr(ctypes.CDLL(None), "fake_npu_mark", None)
    if function is not None:
        function(" ".join(text.split()).encode())
