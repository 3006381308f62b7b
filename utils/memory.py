"""Memory of this machine and of this process."""

import ctypes


def available_memory() -> int:
    """Bytes that can be had without swapping, as Linux sees it; 0 where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            fields = dict(line.split(":", 1) for line in stream)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return 0


def return_freed_memory() -> None:
    """Give memory that this process has freed, but kept for itself, back to the system; glibc's malloc alone can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
