"""The documents: the files, headings and sources that they name exist, and commands take the options shown."""

import ast
import re
from pathlib import Path

import pytest

from synthetic.generate import make_parser
from tests.conftest import REPOSITORY
from tests.helpers.pages import HAS_KERNELS, PAGES, SOURCES, anchor_of, commands, headings, inline, links, read
from utils.train_options import TrainOptions

# named by the documents, and made beside them
ROOMS = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name[0] not in "._"}
OF_OTHERS = {"CHANGELOG.md", "RESULTS.md", "set_env.sh"}  # not among PAGES; the last is CANN's


# ---- what pages name exists ----


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
    paths = paths_in(read(page))
    for path in paths if HAS_KERNELS else {path for path in paths if not path.startswith("tests/kernels")}:
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
    **{name: options_in(f"scripts/blender/{name}") for name in ("render.py", "retarget.py", "box_figure.py")},
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
    "scripts.draw_animation": "scripts/draw_animation.py",
    **{f"benchmarks.{path.stem}": f"benchmarks/{path.name}" for path in REPOSITORY.glob("benchmarks/*.py")},
}
for _module, _file in MODULES.items():
    OPTIONS[_module] = options_in(_file) | {"--help"}
for _module in ("synthetic.generate", "datasets.synthetic.generate"):  # it adds an option for each data set
    OPTIONS[_module] = set(make_parser()._option_string_actions)
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
