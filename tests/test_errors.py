"""How a command ends: its own exit code, one line for what a user can mend, no traceback for Ctrl-C."""

import pytest

from utils import errors
from utils.errors import UserError, run_command, silence_warnings, warn


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
