"""Both READMEs say the same, have the commands of the 2022 port, and show Python that exists."""

import ast
import re
from collections import Counter

import pytest

from tests.helpers.pages import READMES, blocks, headings, inline, is_defined, links, read


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 200


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
