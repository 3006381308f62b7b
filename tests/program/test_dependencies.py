"""Dependencies: what is chosen is locked with hashes and listed with its licence; the audit fails for findings only."""

import os
import re
import subprocess

import pytest

from tests.conftest import REPOSITORY

LOCKS = {"requirements.lock": 20, "requirements-dev.lock": 20, "requirements-body.lock": 1}  # at least so many packages
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
LEFT_OUT = {"torch"}  # of the locks: its builds have different hashes


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    return {plain(name): version for name, version in PIN.findall((REPOSITORY / file).read_text())}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_chosen_version_is_locked(lock):
    """Where this fails: bash scripts/upgrade_dependencies.sh --keep."""
    locked, chosen = pins(lock), pins(lock.replace(".lock", ".txt"))
    assert chosen
    assert {name: locked.get(name) for name in chosen if name not in LEFT_OUT} == {
        name: version for name, version in chosen.items() if name not in LEFT_OUT
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_hashes_and_no_index_is_named(lock):
    text = (REPOSITORY / lock).read_text()
    entries = [entry for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE) if not entry.startswith("#")]
    assert len(entries) == len(pins(lock)) >= LOCKS[lock]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text and "--index" not in text and "--find-links" not in text


def test_the_locks_agree_and_the_body_s_package_brings_nothing_along():
    runtime, everything, body = map(pins, LOCKS)
    assert body == pins("requirements-body.txt") and not body.keys() & everything.keys()
    assert runtime.items() <= everything.items()


def test_every_locked_package_is_listed_with_its_licence():
    """Where this fails: bash scripts/upgrade_dependencies.sh --keep."""
    page = (REPOSITORY / "docs/licences.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([0-9][^ ]*) \| (.+) \|$", page, re.MULTILINE)
    listed = {name: version for name, version, _ in rows}
    assert listed == pins("requirements-dev.lock") | pins("requirements-body.lock") | {
        name: pins("requirements-dev.txt")[name] for name in LEFT_OUT
    }
    assert all(re.search("MIT|BSD|Apache|MPL|Mozilla|PSF", licence) for _, _, licence in rows)


STAND_INS = {
    "clean": ("exit 0", 0, "audit: no known vulnerability in"),
    "findings": ('echo "numpy 1.26.4 PYSEC-0" >"$output"; exit 1', 1, "numpy 1.26.4 PYSEC-0"),
    "unreachable": ('echo "no such host" >&2; exit 1', 0, "audit: skipped, OSV could not be asked: no such host"),
}


@pytest.mark.parametrize(("does", "code", "says"), STAND_INS.values(), ids=STAND_INS)
def test_the_audit_fails_for_findings_only(tmp_path, does, code, says):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/bash\nwhile [ "$1" != --output ]; do shift; done\noutput="$2"\n{does}\n')
    python.chmod(0o755)
    finished = subprocess.run(
        ["bash", REPOSITORY / "scripts/audit_dependencies.sh"], env=os.environ | {"PYTHON": str(python)},
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert finished.returncode == code, finished.stderr
    assert says in finished.stdout
