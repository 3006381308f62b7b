"""Packages that only some data sets need, imported where they are used."""

import importlib
from types import ModuleType

from utils.errors import UserError

REQUIREMENTS = "requirements-benchmarks.txt"


def import_package(name: str, what: str) -> ModuleType:
    """Import a package of requirements-benchmarks.txt; UserError that `what` needs it, if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{what} needs the package {name}: pip install -r {REQUIREMENTS}") from error
