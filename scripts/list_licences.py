"""Write the tables of docs/licences.md: every installed package that this program needs, with its licence.

    .venv/bin/python scripts/list_licences.py

The licences are those in the packages' own metadata, or in the files that it names. The part of the page above MARKER
is written by hand and stays.
"""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs/licences.md"
MARKER = "<!-- below: made by scripts/list_licences.py -->\n"
CLASSIFIER = "License :: OSI Approved :: "
INSTALLER = "pip"  # left out: it belongs to the environment, and only pip-audit requires it
LONGEST_NAME = 60  # characters; a longer entry holds the text of the licence
# a phrase by which each licence's text is recognised; they are tried in this order
TEXTS = {
    "BSD-3-Clause": "Neither the name",
    "BSD-2-Clause": "Redistribution and use in source and binary forms",
    "MIT": "Permission is hereby granted, free of charge",
    "Apache-2.0": "Apache License, Version 2.0",
}


def requirements(path: Path) -> list[Requirement]:
    """The packages that a requirements file names; those of a file that it includes are left out."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def closure(wanted: list[Requirement]) -> dict[str, metadata.Distribution]:
    """Canonical name -> package, for `wanted` and for all packages that these require on this platform."""
    found: dict[str, metadata.Distribution] = {}
    queue, seen = list(wanted), set()
    while queue:
        requirement = queue.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or name == INSTALLER:
            continue
        seen.add((name, extras))
        found[name] = metadata.distribution(name)
        queue += [needed for line in found[name].requires or () if applies(needed := Requirement(line), extras)]
    return dict(sorted(found.items()))


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether a package that is wanted with `extras` has this requirement on this platform."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""}))


def licence(package: metadata.Distribution) -> str:
    """The licence's name as the package states it; ValueError where it states none."""
    stated = package.metadata
    expression = "".join(stated.get_all("License-Expression") or ())
    if expression:
        return expression
    entry = "".join(stated.get_all("License") or ()).strip()
    if entry and len(entry) <= LONGEST_NAME and "\n" not in entry:
        return entry
    text = re.sub(r"\s+", " ", entry)
    classifiers = [line for line in stated.get_all("Classifier") or () if line.startswith(CLASSIFIER)]
    if not text and not classifiers:
        files = (package.read_text(f"licenses/{name}") or "" for name in stated.get_all("License-File") or ())
        text = re.sub(r"\s+", " ", " ".join(files))
    recognised = [name for name, phrase in TEXTS.items() if phrase in text]
    if recognised:
        return recognised[0]
    if not classifiers:
        raise ValueError(f"{stated['Name']} states no licence that is recognised: {text[:200]!r}")
    return ", ".join(line.removeprefix(CLASSIFIER) for line in classifiers)


def table(packages: dict[str, metadata.Distribution]) -> str:
    """Name, version and licence of each package, in Markdown."""
    rows = [f"| {name} | {package.version.split('+')[0]} | {licence(package)} |" for name, package in packages.items()]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows])


def alone(wanted: list[Requirement]) -> dict[str, metadata.Distribution]:
    """Canonical name -> package, for packages that are installed without what they require."""
    return {canonicalize_name(requirement.name): metadata.distribution(requirement.name) for requirement in wanted}


def tables() -> str:
    """The generated part of the page."""
    body = alone(requirements(REPOSITORY / "requirements-body.txt"))
    runtime = closure(requirements(REPOSITORY / "requirements.txt"))
    readers = closure(requirements(REPOSITORY / "requirements-benchmarks.txt"))
    everything = closure(requirements(REPOSITORY / "requirements-dev.txt"))
    readers = {name: package for name, package in readers.items() if name not in runtime}
    others = {name: package for name, package in everything.items() if name not in runtime | readers}
    return (
        f"\n## To run the program\n\n`requirements.txt`, and what it brings along.\n\n{table(runtime)}\n"
        f"\n## To make the generated body\n\n`requirements-body.txt`, installed alone: its data files are read, its "
        f"code is not used.\n\n{table(body)}\n"
        f"\n## To read some data sets\n\n`requirements-benchmarks.txt`, and what it brings along.\n\n{table(readers)}\n"
        f"\n## To test and maintain it\n\n`requirements-dev.txt`, and what it brings along.\n\n{table(others)}\n"
    )


def main() -> None:
    by_hand, marker, _ = PAGE.read_text(encoding="utf-8").partition(MARKER)
    PAGE.write_text(by_hand + marker + tables(), encoding="utf-8")


if __name__ == "__main__":
    main()
