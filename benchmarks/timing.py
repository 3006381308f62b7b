"""What the benchmarks share: alternating measurements, one table, the machine in words."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def alternate(works: dict[str, Callable], repeats: int) -> dict[str, list[float]]:
    """Run the works in turn (A B A B ...), `repeats` times after one unmeasured round: seconds of each run.

    Taking turns lets every work see the same noise of the machine, so ratios of medians mean
    something where absolute times do not.
    """
    seconds = {name: [] for name in works}
    for round_ in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if round_:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_table(header: list[str], rows: list[list]) -> None:
    """A Markdown table with right-aligned columns."""
    lines = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for index, line in enumerate(lines):
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")


def machine() -> str:
    """Processor, cores and date, for the line above a table."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {time.strftime('%Y-%m-%d')}"
