"""The soak's verdict: what grows or slows down is told from what is steady."""

import subprocess
import sys

import numpy as np
import psutil
import pytest

from tests.reliability.soak import Look, Progress, look, report

STEPS = np.arange(50, 5001, 50)
TIMES = np.column_stack([STEPS, 100 + 0.1 * STEPS])  # ten steps a second


def looks(grown: float = 0, opened: int = 0) -> list[Look]:
    """One a second, the first ones before the first step; `grown` MiB and `opened` files more at the end."""
    shares = np.linspace(0, 1, 620)
    return [Look(second, 400 + grown * share, 20 + round(opened * share), 2) for second, share in enumerate(shares)]


def seconds(slowdown: float = 1) -> dict:
    return {step: 0.1 * (slowdown if step > 4000 else 1) for step in STEPS}


@pytest.mark.parametrize(
    "held, given", [(True, {}), (True, {"grown": 15}), (False, {"grown": 60}), (False, {"opened": 4})]
)
def test_growth_after_the_start_is_found(held, given):
    assert report("step", looks(**given), TIMES, seconds()) is held


@pytest.mark.parametrize("held, slowdown", [(True, 1.05), (False, 1.2)])
def test_slower_steps_are_found(held, slowdown):
    assert report("step", looks(), TIMES, seconds(slowdown)) is held


def test_what_a_program_takes_before_its_first_steps_is_no_growth():
    early = [Look(time, 10, 3, 0) for time in range(50)]
    assert report("step", early + looks()[150:], TIMES, seconds())


FORKING = """
import os, sys
held = bytearray(b"1") * (200 * 2**20)
sys.stdin.readline()
print("ready", flush=True)
sys.stdin.readline()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.read(reading, 1)
    os._exit(0)
print("forked", flush=True)
sys.stdin.readline()
os.write(writing, b"x")
os.waitpid(child, 0)
"""


def test_pages_that_a_worker_shares_are_counted_once():
    """Private memory would lack 200 MiB, and resident memory have them twice."""
    with subprocess.Popen([sys.executable, "-c", FORKING], stdin=-1, stdout=-1, text=True) as program:
        found = []
        for state in ("ready", "forked"):
            print("go on", file=program.stdin, flush=True)
            assert program.stdout and program.stdout.readline() == f"{state}\n"
            found.append(look(psutil.Process(program.pid)))
        print("end", file=program.stdin, flush=True)
    alone, together = found
    assert (alone.children, together.children) == (0, 1) and alone.memory > 200
    assert abs(together.memory - alone.memory) < 20


def test_counts_are_read_from_a_progress_bar(capsys):
    progress = Progress()
    progress("\rdemo:   0%|          | 0/50 [00:00<?]\rdemo:  20%|██        | 10/50 [00:05<00:20]\nwarning: a word\n")
    assert [count for count, _ in progress.counts] == [0, 10]
    assert capsys.readouterr().out == "warning: a word\n"
