"""What the benchmarks print: a table, and the machine in words."""

import os
import platform
import time
from pathlib import Path


def print_table(header: list[str], rows: list[list]) -> None:
    """Print a Markdown table with right-aligned columns."""
    lines = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for index, line in enumerate(lines):
        print("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")


def describe_machine() -> str:
    """Name processor, cores and date, for the line above a table."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {time.strftime('%Y-%m-%d')}"
