"""Write docs/options.md from the parsers of the program: python -m scripts.write_options_page"""

import argparse
from pathlib import Path

from reconstruction.options import make_parser
from utils.train_options import TrainOptions

PAGE = Path(__file__).resolve().parent.parent / "docs/options.md"
HEAD = """# Options

`python -m scripts.write_options_page` makes this page from the parsers; a test compares both. A switch may carry a
value, as in `--resume True`. train.py and eval.py read options from a file with `--from_json` too (configs/); the
command line wins. Of all other commands `--help` lists the options, and [commands.md](commands.md) says what they do.
"""


def table(group) -> list[str]:
    """The options of an argument group as the lines of a table."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for action in group._group_actions:
        if action.help == argparse.SUPPRESS or action.dest == "help":
            continue
        names = ", ".join(f"`{name}`" for name in action.option_strings)
        choices = f" ({', '.join(map(str, action.choices))})" if action.choices else ""
        default = "" if action.default is None or action.default is False else f"`{action.default}`"
        meaning = " ".join((action.help or "").split()).replace("|", chr(92) + "|").replace("%%", "%")
        lines.append(f"| {names}{choices} | {default} | {meaning} |")
    return lines


def make_page() -> str:
    """The text of docs/options.md."""
    lines = [HEAD]
    parsers = {"train.py and eval.py": TrainOptions().parser, "demo.py": make_parser()}
    for name, parser in parsers.items():
        lines.append(f"## {name}\n")
        for group in parser._action_groups:
            rows = table(group)
            if len(rows) > 2:
                title = [] if group.title == "options" else [f"### {group.title}\n"]
                lines += [*title, *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
