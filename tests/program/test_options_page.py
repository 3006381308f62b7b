"""docs/options.md lists every option of every command."""

import re

import pytest

from scripts.write_options_page import PAGE, make_page, words_of_script
from tests.conftest import REPOSITORY, run_script

COMMANDS = [path for path in REPOSITORY.glob("scripts/*.sh") if path.read_text().startswith("#!")]


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == make_page(), "renew it: python -m scripts.write_options_page"


@pytest.mark.parametrize(
    "command", ["preprocess_datasets.py", "preprocess_surreal.py", "-m synthetic.generate", "-m atlas.unwrap"]
)
def test_every_option_that_a_command_s_help_shows_stands_in_its_section(command):
    title = command.replace("-m ", "python -m ")
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    shown = set(re.findall(r"^ +(--\w+)", run_script(*command.split(), "--help").stdout, re.MULTILINE))
    assert shown and shown == set(re.findall(r"^\| `(--\w+)`", section, re.MULTILINE))


def test_a_hidden_option_stays_hidden():
    assert "compile_cache" not in PAGE.read_text(encoding="utf-8")


def test_every_row_has_a_meaning():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert all(re.split(r"(?<!\\)\|", row)[4].strip() for row in rows)


@pytest.mark.parametrize("script", COMMANDS, ids=lambda script: script.name)
def test_every_shell_script_shows_how_it_is_called(script):
    assert f"bash scripts/{script.name}" in words_of_script(script)
