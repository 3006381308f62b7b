"""The documents: what they name exists, commands take the options shown, and both READMEs say the same."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from utils import joints
from utils.environment import SETTINGS
from utils.train_options import TrainOptions

READMES = ("README.md", "README_CN.md")
PAGES = [*READMES, "CONTRIBUTING.md", "data/README.md", *(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md"))]
PACKAGES = [folder for folder in REPOSITORY.glob("[a-z]*") if any(folder.glob("*.py"))]
SOURCES = [*REPOSITORY.glob("*.py"), *(path for folder in PACKAGES for path in folder.rglob("*.py"))]
# named by the documents, and made beside them
ROOMS = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name[0] not in "._"}


OF_OTHERS = {"CHANGELOG.md", "RESULTS.md", "set_env.sh"}  # not among PAGES; the last is CANN's


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


# ---- reading a page ----


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


# ---- what pages name exists ----


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target, anchor in links(read(page)):
        path = (REPOSITORY / page).parent / target if target else REPOSITORY / page
        path = path.resolve()
        assert path.exists(), f"{page}: {target}"
        if anchor and path.exists():
            titles = [anchor_of(title) for _, title in headings(path.read_text(encoding="utf-8"))]
            assert anchor in titles, f"{page}: {target}#{anchor}"


def paths_in(text: str) -> set[str]:
    """Words of code that are paths into the rooms of this repository."""
    words = {word.strip("\"'()[],;:") for line in commands(text) for word in re.split(r"[\s=]", line)}
    paths = {word.removeprefix("./") for word in words if re.fullmatch(r"[\w./*-]+", word)}
    named = {path for path in paths if path.split("/")[0] in ROOMS and "/" in path and "NAME" not in path}
    return {path for path in named if not path.startswith("data/") or path == "data/README.md"}  # users bring them


@pytest.mark.parametrize("page", PAGES)
def test_every_path_of_the_repository_exists(page):
    for path in paths_in(read(page)):
        assert (REPOSITORY / path).exists() or any(REPOSITORY.glob(path.rstrip("/"))), f"{page}: {path}"


@pytest.mark.parametrize("page", PAGES)
def test_every_source_that_is_named_without_its_folder_exists(page):
    names = {name for code in inline(read(page)) for name in re.findall(r"(?:^|\s)(\w+\.(?:py|sh|md))\b", code)}
    known = {path.name for path in (*SOURCES, *REPOSITORY.glob("scripts/*.sh"), *map(Path, PAGES))}
    assert {name for name in names if "NAME" not in name} <= known | OF_OTHERS


# ---- options ----


def options_in(*files: str) -> set[str]:
    """The options that the source of a command adds to its parser."""
    calls = [node for file in files for node in ast.walk(ast.parse(read(file))) if isinstance(node, ast.Call)]
    words = {argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)}
    return {word for word in words if isinstance(word, str) and re.fullmatch(r"--\w+", word)}


def options_of_script(name: str) -> set[str]:
    """The options that a shell script of its own takes."""
    return set(re.findall(r"^\s+(?:--?\w+ \| )*(--\w+)(?: \| --?\w+)*\)", read(f"scripts/{name}"), re.MULTILINE))


TRAIN = set(TrainOptions().parser._option_string_actions)
PREPARE = options_in("datasets/preprocess/command.py")
# program -> its options; None where they are not ours
OPTIONS: dict[str, set[str] | None] = {
    "train.py": TRAIN,
    "eval.py": TRAIN | options_in("eval.py"),
    "demo.py": options_in("reconstruction/options.py"),
    "export.py": options_in("export.py"),
    "preprocess_datasets.py": PREPARE,
    "preprocess_surreal.py": PREPARE,
    "pth_to_msp.py": TRAIN | options_in("pretrained_model_convert/pth_to_msp.py"),
    "convert_model.sh": TRAIN | options_in("pretrained_model_convert/pth_to_msp.py"),
    "run_eval.sh": TRAIN | options_in("eval.py"),
    **{f"run_train_{kind}_{device}.sh": TRAIN for kind in ("standalone", "distribute") for device in ("gpu", "npu")},
    **{name: options_of_script(name) for name in ("quickstart.sh", "run_tests.sh", "upgrade_dependencies.sh")},
    **dict.fromkeys(("msrun", "mpirun", "pytest", "pip", "ruff", "tensorboard", "apt-get")),
}
MODULES = {
    "synthetic.generate": "synthetic/generate.py",
    "datasets.synthetic.generate": "synthetic/generate.py",
    "atlas.unwrap": "atlas/unwrap/__main__.py",
    "utils.unwrap": "atlas/unwrap/__main__.py",
    "utils.complete_body": "utils/complete_body.py",
    "tests.fake_gpu": "tests/fake_gpu/__main__.py",
    "tests.fake_npu": "tests/fake_npu/__main__.py",
    "tests.reliability.kills": "tests/reliability/kills.py",
    **{f"benchmarks.{path.stem}": f"benchmarks/{path.name}" for path in REPOSITORY.glob("benchmarks/*.py")},
}
for _module, _file in MODULES.items():
    OPTIONS[_module] = options_in(_file) | {"--help"}
BEHIND = {"quickstart.sh": "train.py", "run_tests.sh": "pytest"}  # whose options follow a lone --
EVERYONES = set().union(*(options for options in OPTIONS.values() if options), {"--help"})


def unknown_options(command: str) -> list[str]:
    """The options of a command line that its program does not take; without a program those that none takes."""
    program, unknown = "", []
    for word in re.split(r"[\s=]+", command.replace("`", "")):
        word = word.strip("[]()|\\,;")
        name = word if word in OPTIONS else Path(word).name
        if name in OPTIONS:
            program = name
        elif word == "--" and program:
            program = BEHIND.get(program, program)
        elif re.fullmatch(r"--[a-z]\w*", word) and "NAME" not in word:
            options = OPTIONS[program] if program else EVERYONES
            if options is not None and word not in {*options, "--help"}:
                unknown.append(f"{program} {word}")
    return unknown


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_is_named_exists(page):
    unknown = [found for command in commands(read(page)) for found in unknown_options(command)]
    assert not unknown


def test_an_option_that_does_not_exist_is_found():
    assert unknown_options("python train.py --banana 1 && python demo.py --img a") == ["train.py --banana"]
    assert unknown_options("bash scripts/quickstart.sh --fresh -- --lr 1 --fresh --num_train 3") == [
        "train.py --num_train"
    ]
    assert unknown_options("--banana") == [" --banana"]


# ---- both READMEs ----


def both(found) -> list:
    return [found(read(page)) for page in READMES]


def test_the_readmes_have_the_same_sections():
    english, chinese = both(lambda text: [level for level, _ in headings(text)])
    assert english == chinese


def test_the_readmes_have_the_same_commands_and_code():
    english, chinese = both(blocks)
    assert english == chinese
    english, chinese = both(lambda text: Counter(inline(text)))
    assert english == chinese


def test_the_readmes_have_the_same_links_and_pictures():
    def targets(text: str) -> Counter:
        return Counter(links(text)) + Counter(re.findall(r"<(http[^>]*)>", text))

    english, chinese = both(targets)
    assert english - Counter([("README_CN.md", "")]) == chinese - Counter([("README.md", "")])


def test_the_readmes_have_the_same_numbers():
    def numbers(text: str) -> Counter:
        return Counter(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", re.sub(r"\b\d-D\b", "", text)))

    english, chinese = both(numbers)
    assert english == chinese


def test_the_readmes_have_the_same_tables():
    def rows(text: str) -> list[int]:
        return [line.count("|") for line in text.splitlines() if line.startswith("|")]

    english, chinese = both(rows)
    assert english == chinese


@pytest.mark.parametrize("page", READMES)
def test_the_commands_of_the_2022_port_are_there(page):
    text = read(page)
    for command in (
        "bash scripts/run_train_standalone_gpu.sh up-3d 0 5 30 16 ./ckpt",
        "bash scripts/run_train_distribute_gpu.sh up-3d 8 5 30 16 ./ckpt",
        "bash scripts/run_eval.sh up-3d 16",
        "bash scripts/convert_model.sh",
        "python preprocess_datasets.py --train_files --eval_files --gt_iuv",
        "python preprocess_surreal.py --train_files --eval_files --gt_iuv",
        "python train.py",
    ):
        assert command in text, command


def test_the_example_in_python_imports_what_exists():
    example = next(block for block in blocks(read("README.md")) if block[0].startswith("import"))
    imports = [node for node in ast.parse("\n".join(example)).body if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        for alias in node.names:
            assert is_defined(f"{node.module}.{alias.name}"), f"{node.module}.{alias.name}"


# ---- tables that repeat the code ----


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


def test_every_word_of_the_glossary_leads_into_the_code():
    rows = table(read("docs/conventions.md"), "Glossary")[1:]
    assert len(rows) > 20
    for *_, place in rows:
        assert is_defined(place.strip("`")), place


def test_the_environment_page_lists_the_variables_that_the_code_reads():
    rows = table(read("docs/environment.md"), "Environment variables")
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    # the stand-ins for a card, and tests of other variables, set their own
    sources = [path for path in SOURCES if "tests" not in path.relative_to(REPOSITORY).parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read_by_code = set(re.findall(r"environ(?:\.get\(|\.setdefault\(|\[)\"(\w+)\"", text)) | set(SETTINGS)
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("scripts/*.sh"))
    read_by_code |= set(re.findall(r"\$\{([A-Z][A-Z_]+):-", scripts))
    fuzz = {"DECOMR_FUZZ_EXAMPLES"} & set(re.findall(r"\w+", read("tests/reliability/fuzz/test_readers.py")))
    assert listed == read_by_code | fuzz


def test_the_table_of_losses_has_the_weights_of_the_parser():
    rows = table(read("docs/training.md"), "Losses")[1:]
    told = {row[0].strip("`"): float(row[1]) for row in rows}
    actions = [action for action in TrainOptions().parser._actions if action.dest.startswith("lam_")]
    assert told == {action.option_strings[0]: action.default for action in actions}


def test_the_joints_are_those_of_the_code():
    rows = table(read("docs/conventions.md"), "Joints")
    cells = [cell.split() for row in rows for cell in row if cell]
    training, smpl = cells[: len(cells) // 2], cells[len(cells) // 2 :]
    for listed, names in ((training, joints.TRAINING_JOINTS), (smpl, joints.SMPL_JOINTS)):
        assert sorted((int(number), name) for number, name in listed) == list(enumerate(names))


def value_of(cell: str):
    """The value in a cell of the quickstart's settings: its first word; on and off are a switch's."""
    word = re.split(r"[: ]", cell)[0]
    return {"on": True, "off": False}.get(word) if word in ("on", "off") else float(word) if word[0].isdigit() else word


def test_the_settings_of_the_quickstart_are_those_of_its_files():
    rows = [row for row in table(read("docs/quickstart.md"), "Its settings") if row[0].startswith("`--")]
    defaults = vars(TrainOptions().parser.parse_args([]))
    settings = [json.loads(read(f"configs/quickstart_{stage}.json")) for stage in ("dp", "end")]
    count = 0
    for names, of_paper, of_quickstart, _ in rows:
        if "--clothing" in names:  # the generator's
            continue
        pairs = zip(re.findall(r"`--(\w+)`", names), of_paper.split(", "), of_quickstart.split(", "), strict=False)
        for name, paper, quickstart in pairs:
            assert defaults[name] == value_of(paper), name
            assert value_of(quickstart) in [stage.get(name) for stage in settings], name
            count += 1
    assert count > 14
