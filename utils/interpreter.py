"""Check the Python that runs this program: one line and exit code 2 if it is unsupported or lacks a package.

Entry scripts import this first. A Python that is too old must be able to read this file and the code that runs
before it, so their syntax is that of Python 3.8. `PYTHON utils/interpreter.py NAME [PACKAGE ...]` checks a Python
for the shell script NAME.
"""

from __future__ import annotations

import importlib.util
import os
import sys

SUPPORTED = ((3, 11), (3, 12))
# packages of requirements.txt: the name that is imported -> the name that is installed
PACKAGES = {
    "mindspore": "mindspore",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "scipy": "scipy",
    "tqdm": "tqdm",
    "trimesh": "trimesh",
    "PIL": "pillow",
    "tensorboardX": "tensorboardX",
    "pygltflib": "pygltflib",
}
REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(os.environ.get("DECOMR_VENV") or os.path.join(REPOSITORY, ".venv"), "bin", "python")
_earlier_hook = sys.excepthook


def wrong_version(version: tuple) -> str:
    """What is wrong with a Python of this version (3, minor, ...), and what to do; "" if it is supported."""
    if tuple(version[:2]) in SUPPORTED:
        return ""
    release = ".".join(str(number) for number in version[:3])
    return f"this is Python {release} ({sys.executable}), and 3.11 or 3.12 is needed: {_advice()}."


def not_installed(packages: list) -> str:
    """What to do if these packages, named as they are imported, are missing."""
    names = " and ".join(PACKAGES[package] for package in packages)
    install = "" if _elsewhere() else f", or {sys.executable} -m pip install -r requirements.txt"
    return f"{names} {'is' if len(packages) == 1 else 'are'} not installed in {sys.executable}: {_advice()}{install}."


def _elsewhere() -> bool:
    """Whether this repository has an environment with another Python."""
    return os.path.exists(ENVIRONMENT) and os.path.abspath(sys.executable) != os.path.abspath(ENVIRONMENT)


def _advice() -> str:
    if _elsewhere():
        return f"start it with {ENVIRONMENT}"
    return "run bash scripts/quickstart.sh, which installs what is needed into .venv"


def name_missing_package(kind, error, traceback) -> None:
    """An excepthook: a missing package of requirements.txt ends the program with one line. Other errors pass."""
    if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
        _end(_command(), not_installed([error.name]))
    _earlier_hook(kind, error, traceback)


def check(name: str, packages: list) -> None:
    """End the program `name` with one line if this Python has a wrong version or lacks some of `packages`."""
    wrong = wrong_version(sys.version_info)
    if not wrong:
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        wrong = not_installed(missing) if missing else ""
    if wrong:
        _end(name, wrong)


def _command() -> str:
    # -m stands there while Python still looks for the module
    if sys.argv[0] == "-m":
        return "python"
    folder, name = os.path.split(sys.argv[0])
    return os.path.basename(folder) if name == "__main__.py" else name


def _end(name: str, line: str) -> None:
    print(f"{name}: error: {line}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2:])
else:
    check(_command(), [])
    sys.excepthook = name_missing_package
