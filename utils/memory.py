"""Memory of this machine and of this process."""

import ctypes


def available_memory() -> int:
    """Bytes that are free without swapping, as Linux states them; 0 if it does not."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            fields = dict(line.split(":", 1) for line in stream)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return 0


def return_freed_memory() -> None:
    """Return memory that this process has freed, but still keeps, to the system. Only glibc's malloc can do this."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
