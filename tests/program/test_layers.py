"""Imports never point upward: each layer of the program knows the layers below it only."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.pages import HAS_KERNELS

# package -> packages of this program that it may import
MAY_IMPORT = {
    "utils": {"utils"},
    "atlas": {"utils", "atlas"},
    "fitting": {"utils", "fitting"},
    "viewer": {"utils", "viewer"},
    "synthetic": {"utils", "atlas", "synthetic"},
    "models": {"utils", "atlas", "models"},
    "kernels": {"utils", "models", "kernels"},
    "datasets": {"utils", "atlas", "datasets"},
    "training": {"utils", "atlas", "models", "datasets", "training"},
    "evaluation": {"utils", "atlas", "fitting", "viewer", "models", "datasets", "evaluation"},
    "reconstruction": {"utils", "atlas", "fitting", "viewer", "models", "datasets", "reconstruction"},
    "exporting": {"utils", "atlas", "models", "datasets", "exporting"},
    "pretrained_model_convert": {"utils", "atlas", "models", "pretrained_model_convert"},
}
ROOMS = [room for room in MAY_IMPORT if room != "kernels" or HAS_KERNELS]
SCRIPTS = {path.stem for path in REPOSITORY.glob("*.py")}
PROGRAM = set(MAY_IMPORT) | SCRIPTS | {"tests"}
# what the program must run without: the frameworks and viewers of the original
FOREIGN = {"torch", "torchvision", "chumpy", "opendr"}


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    """First names of everything that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ROOMS)
def test_a_layer_imports_itself_and_lower_layers_only(package):
    assert sources(package)
    for path in sources(package):
        upward = (imported_packages(path) & PROGRAM) - MAY_IMPORT[package]
        assert not upward, f"{path.relative_to(REPOSITORY)} imports {upward}"


@pytest.mark.parametrize("package", [*ROOMS, "."])
def test_nothing_but_the_weight_conversion_needs_the_original_s_frameworks(package):
    paths = sources(package) if package != "." else [REPOSITORY / f"{name}.py" for name in SCRIPTS]
    allowed = {"torch", "torchvision"} if package == "pretrained_model_convert" else set()
    for path in paths:
        foreign = (imported_packages(path) & FOREIGN) - allowed
        assert not foreign, f"{path.relative_to(REPOSITORY)} imports {foreign}"


def test_the_data_tools_start_without_mindspore():
    """Preprocessing, rendering and the synthetic data run in many processes: each would pay seconds for it."""
    light = [*sources("synthetic"), *sources("datasets/preprocess"), REPOSITORY / "preprocess_datasets.py"]
    seen, queue = set(), list(light)
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        assert "mindspore" not in imported_packages(path), path.relative_to(REPOSITORY)
        queue += [found for name in imported_modules(path) if (found := REPOSITORY / f"{name}.py").is_file()]
    assert len(seen) > len(light)


def imported_modules(path: Path) -> set[str]:
    """Modules of this program that a file imports, as paths without suffix."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.replace(".", "/") for name in modules if name.split(".")[0] in PROGRAM}


def test_no_two_files_import_each_other():
    """Directly or by way of others; an import inside a function counts too."""
    files = {path.relative_to(REPOSITORY) for name in PROGRAM for path in sources(name)}
    files |= {Path(f"{name}.py") for name in SCRIPTS}
    imports = {path: {Path(f"{name}.py") for name in imported_modules(REPOSITORY / path)} & files for path in files}
    assert len(files) > 200 and sum(map(len, imports.values())) > len(files)
    assert not find_circle(imports)


def test_a_circle_is_found_and_a_diamond_is_none():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert not find_circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()})


def find_circle(imports: dict) -> list:
    """A way from a file over its imports back to it, or nothing. imports: file -> files that it imports."""
    done = set()

    def follow(path, way: list) -> list:
        if path in way:
            return [*way[way.index(path) :], path]
        if path in done:
            return []
        for other in sorted(imports[path]):
            if found := follow(other, [*way, path]):
                return found
        done.add(path)
        return []

    return next((found for path in sorted(imports) if (found := follow(path, []))), [])


def test_the_architecture_page_says_the_same():
    page = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| .* \| ([^|]*) \|$", page, re.MULTILINE)
    said = {room: {room, *re.findall(r"`(\w+)`", others)} for room, others in rows}
    assert said == MAY_IMPORT


# what has its meaning from MindSpore, or from being the script's
UNEXPLAINED = {"construct", "bprop", "main"}


# the other two write networks cell by cell, with a function for each that is named after it
@pytest.mark.parametrize("package", sorted({*ROOMS} - {"exporting", "pretrained_model_convert"}))
def test_every_public_function_says_what_it_does(package):
    for path in sources(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        public = [cell for cell in tree.body if isinstance(cell, ast.ClassDef) and not cell.name.startswith("_")]
        functions = [node for owner in (tree, *public) for node in owner.body if isinstance(node, ast.FunctionDef)]
        named = [node.name for node in functions if not node.name.startswith("_") and node.name not in UNEXPLAINED]
        mute = {node.name for node in functions if not ast.get_docstring(node)} & set(named)
        assert not mute, f"{path.relative_to(REPOSITORY)}: {mute}"


def test_every_package_of_the_program_has_a_layer():
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert packages - {"tests", "benchmarks"} == set(ROOMS)
