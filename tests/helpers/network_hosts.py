"""Two hosts on one machine: network namespaces joined by a cable of their own (root and iproute2 needed)."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """Where a command runs: the words before it, and the address under which the other hosts know it."""

    words: tuple[str, ...]
    address: str


LOOPBACK = Host((), "127.0.0.1")


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts that reach each other by network only; LOOPBACK twice where namespaces cannot be made."""
    names = [f"decomr-{os.getpid()}-{number}" for number in range(2)]
    with contextlib.ExitStack() as undo:
        try:
            if not shutil.which("ip"):
                raise FileNotFoundError("ip")
            for name in names:
                _ip(f"netns add {name}")
                undo.callback(_ip, f"netns delete {name}")
            _ip(f"-n {names[0]} link add cable type veth peer name cable netns {names[1]}")
            for number, name in enumerate(names):
                _ip(f"-n {name} address add 10.111.0.{number + 1}/24 dev cable")
                for device in ("lo", "cable"):
                    _ip(f"-n {name} link set {device} up")
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            print(f"no network namespaces, so both ranks are on loopback: {getattr(error, 'stderr', error)}")
            yield LOOPBACK, LOOPBACK
            return
        first, second = (Host(("ip", "netns", "exec", name), f"10.111.0.{i + 1}") for i, name in enumerate(names))
        yield first, second
