"""Reading the documents: their blocks, commands, links and tables, and whether a dotted name is in the source."""

import ast
import re

from tests.conftest import REPOSITORY

READMES = ("README.md", "README_CN.md")
PAGES = [
    *READMES,
    "CONTRIBUTING.md",
    "data/README.md",
    *(str(path.relative_to(REPOSITORY)) for path in sorted(REPOSITORY.glob("docs/**/*.md"))),
]
PACKAGES = [folder for folder in REPOSITORY.glob("[a-z]*") if any(folder.glob("*.py"))]
HAS_KERNELS = (REPOSITORY / "kernels").is_dir()  # the folder may be deleted; documents then still name it
SOURCES = [*REPOSITORY.glob("*.py"), *(path for folder in PACKAGES for path in folder.rglob("*.py"))]


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def without_comment(line: str) -> str:
    """A line of bash or Python without the comment at its end."""
    return re.sub(r"(^|\s+)#.*", "", line).rstrip()


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[list[str]]:
    """The lines of each code block, fenced or indented, without comments and empty lines."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?:^ {4}(?! *(?:[-*]|\d+\.) ).*\n)+", prose(text), re.MULTILINE)
    return [[line.strip() for line in map(without_comment, block.splitlines()) if line] for block in fenced + indented]


def inline(text: str) -> list[str]:
    """What stands between backticks outside of blocks."""
    lines = (line for line in prose(text).splitlines() if not line.startswith("    "))
    return [word for line in lines for word in re.findall(r"`([^`]+)`", line)]


def commands(text: str) -> list[str]:
    """Lines of blocks, with those that end in a backslash joined to the next, and inline code."""
    lines = ["\n".join(block).replace("\\\n", " ") for block in blocks(text)]
    return [line for block in lines for line in block.splitlines()] + inline(text)


def links(text: str) -> list[tuple[str, str]]:
    """(target, anchor or "") of every link and image that leads to a file or a heading of this repository."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text)
    return [(target, anchor) for target, anchor in found if "://" not in target]


def headings(text: str) -> list[tuple[int, str]]:
    """(level, title) of every heading."""
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def anchor_of(title: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of all tables in the section `heading`, without their first lines."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^#", section, flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    assert rows, heading
    return [row for row in rows if not set("".join(row)) <= set("-:")]


def is_defined(dotted: str) -> bool:
    """Whether package.module.name, or package.module.Class.name, is in the source; a module or package alone is too."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        file = REPOSITORY.joinpath(*parts[:length]).with_suffix(".py")
        if file.is_file():
            return _has(ast.parse(file.read_text(encoding="utf-8")).body, parts[length:])
    return REPOSITORY.joinpath(*parts).is_dir()


def _has(body: list, names: list[str]) -> bool:
    if not names:
        return True
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == names[0]:
            return _has(node.body, names[1:])
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        assigned = {target.id for target in targets if isinstance(target, ast.Name)}
        imported = {alias.asname or alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)}
        if names[0] in assigned | imported:
            return True
    return False
