"""How a command ends: its own exit code, one line for what a user can mend, no traceback for Ctrl-C."""

import os
import subprocess
import sys

import pytest
from tqdm import tqdm

from tests.conftest import REPOSITORY
from utils import errors
from utils.errors import UserError, run_command, silence_warnings, warn
from utils.files import inside, plain_path, read_lines, write_text


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("no data. Bring some."), 2, "error: no data. Bring some."),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_stops_a_command_is_one_line_and_a_code(raised, code, line, capsys):
    def main():
        raise raised

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == code
    output = capsys.readouterr()
    assert output.out == "" and output.err.endswith(f": {line}\n") and output.err.count("\n") == 1


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_what_a_command_returns_is_its_code(returned, code):
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: returned)
    assert ended.value.code == code


def test_a_warning_is_one_line_said_once_and_by_the_first_rank_alone(capsys, monkeypatch):
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr(errors, "_is_quiet", False)
    for line in ("the tables are bare", "the tables are bare", "no regressor"):
        warn(line)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ", 1)[1] for line in said] == ["warning: the tables are bare", "warning: no regressor"]
    silence_warnings()
    warn("something else")
    assert capsys.readouterr().err == ""


SAYS = """
import os
from utils.errors import UserError, run_command
name = os.fsdecode(b"caf\\xe9\\n\\xc4\\xfa") + "\U0001f600"
def main():
    print(f"written: {name}")
    raise UserError(f"{name} is bad.")
run_command(main)
"""


@pytest.mark.parametrize("variables", [{}, {"LANG": "C", "LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"},
                                       {"PYTHONIOENCODING": "gbk:strict"}])  # fmt: skip
def test_names_in_any_encoding_are_printed_and_an_error_is_one_line(variables):
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)} | variables
    ended = subprocess.run([sys.executable, "-c", SAYS], env=environment, capture_output=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout.startswith(b"written: caf\\udce9\n\\udcc4\\udcfa")
    assert b"error: caf\\udce9\\n\\udcc4\\udcfa" in ended.stderr and ended.stderr.count(b"\n") == 1


def test_text_with_names_in_foreign_encodings_is_written_as_utf_8(tmp_path):
    write_text(tmp_path / "page.html", os.fsdecode(b"caf\xe9") + " ☕")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "caf\\udce9 ☕"


def test_a_list_names_files_in_foreign_encodings(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"/\xd5\xd5\xc6\xac.png\n/\xe2\x98\x95.png\n")
    (tmp_path / os.fsdecode(b"\xd5\xd5\xc6\xac.png")).touch()
    name, other = (line.lstrip("/") for line in read_lines(tmp_path / "list.txt", ""))
    assert inside(tmp_path, name, "list.txt").is_file() and other == "☕.png"
    (tmp_path / "list.txt").write_text("a.png", encoding="utf-16")
    with pytest.raises(UserError, match=r"list.txt cannot be read as text in UTF-8: it holds zero bytes. Do this."):
        read_lines(tmp_path / "list.txt", "Do this.")


@pytest.mark.parametrize("name", ["plain.mindir", "with space.mindir", "权重.mindir", "caf\udce9.mindir"])
def test_a_file_of_any_name_is_written_by_way_of_a_plain_one(tmp_path, name):
    with plain_path(tmp_path / name) as path:
        assert str(path).isascii() and " " not in path.name
        path.write_bytes(b"content")
    assert (tmp_path / name).read_bytes() == b"content"


def test_the_line_of_an_error_stands_behind_the_progress_bar_and_not_in_it(capsys):
    def main():
        bar = tqdm(total=3, desc="photographs")
        bar.update()
        raise UserError("the second is damaged")

    with pytest.raises(SystemExit):
        run_command(main)
    *bars, line = capsys.readouterr().err.splitlines()
    assert line.endswith("error: the second is damaged") and "photographs" not in line
    assert any("photographs" in bar for bar in bars)
