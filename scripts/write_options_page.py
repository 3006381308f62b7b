"""Write docs/options.md, the options of every command, from their parsers and the shell scripts' own words.

python -m scripts.write_options_page
"""

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

import eval as evaluation  # before the others: it sets the environment that MindSpore starts in
from datasets.preprocess.command import make_parser
from utils.train_options import boolean

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs/options.md"
HEAD = """# Options

`python -m scripts.write_options_page` makes this page from the commands; a test compares both.
[commands.md](commands.md) says what each command does. Every program lists its options with `--help`. train.py,
eval.py, demo.py and export.py name their version with `--version`.

A switch that takes True or False may be written `--resume`, `--resume True` or `--resume False`. Dots mark a value that
may be given several times.
"""
TRAIN = """Both take the same options; the last table belongs to eval.py alone, and `--dataset` and
`--checkpoint` take several values there only. `--from_json` reads options from a file,
such as those of [configs/](../configs/README.md). [training.md](training.md) explains training,
[evaluation.md](evaluation.md) evaluation.

Names and defaults are those of the PyTorch release and the 2022 port. These options are new here: `--data_dir`,
`--device_target`, `--mode`, `--kernels`, `--no_tf32`, `--seed`, `--fresh`, `--other_body`, `--cnet_width`,
`--lnet_width`, `--no_warp`, `--cache_ram`, `--freeze_cnet`, `--lr_schedule`, `--lr_gamma`, `--lr_step_epochs`,
`--warmup`, `--accumulate`, `--clip_grad`, `--max_bad_steps`, `--amp_level`, `--val_share`, `--sync_bn` and
`--zero_init_residual`.
"""
# command -> module with its make_parser, text above its table
OTHERS = {
    "demo.py": (
        "reconstruction.options",
        "[reconstruction.md](reconstruction.md) explains inputs, boxes and outputs.\n",
    ),
    "export.py": ("export", ""),
    "python -m synthetic.generate": ("synthetic.generate", ""),
    "python -m atlas.unwrap": ("atlas.unwrap.__main__", ""),
    "pretrained_model_convert/pth_to_msp.py": (
        "pretrained_model_convert.pth_to_msp",
        "For the model decomr it also takes the options of train.py that shape the networks.\n",
    ),
}
SHELL = """OPTIONS are those of the program that the script starts.
[environment.md](environment.md#environment-variables) lists the environment variables.
"""
KINDS: dict[Any, str] = {int: "whole number", float: "number"}


def values_of(action: argparse.Action) -> str:
    """What may stand behind an option, in words."""
    if action.nargs == 0:
        return "switch"
    if action.type is boolean or action.dest == "shuffle_train":
        return "switch, True or False"
    words = ", ".join(map(str, action.choices or ())) or KINDS.get(action.type) or str(action.metavar or "text")
    return f"{words} ..." if action.nargs == "+" else words


def default_of(action: argparse.Action) -> str:
    """What holds without the option."""
    if action.required:
        return "required"
    if isinstance(action.default, bool):
        return "on" if action.default else "off"
    if isinstance(action.default, list):
        return f"`{' '.join(action.default)}`"
    return "" if action.default in (None, argparse.SUPPRESS) else f"`{action.default}`"


def table(actions: list[argparse.Action]) -> list[str]:
    """Rows for options; no line if all of them are hidden."""
    shown = [
        action for action in actions if action.help != argparse.SUPPRESS and action.dest not in ("help", "version")
    ]
    rows = []
    for action in shown:
        names = ", ".join(f"`{name}`" for name in action.option_strings or [action.dest])
        meaning = (action.help or "").removesuffix(f" (default: {action.default})")
        meaning = " ".join(meaning.replace("%%", "%").replace("*", r"\*").split())
        cells = (names, values_of(action), default_of(action), meaning)
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return ["| option | takes | default | meaning |", "|---|---|---|---|", *rows, ""] if rows else []


def section(title: str, parser: argparse.ArgumentParser, text: str = "") -> list[str]:
    """A command with a table for each group of its options."""
    words, options, *named = parser._action_groups  # the first two are argparse's own
    lines = [f"## {title}", "", *([text] if text else []), *table(words._group_actions + options._group_actions)]
    for group in named:
        lines += [f"### {group.title}", "", *table(group._group_actions)]
    return lines


def words_of_script(script: Path) -> str:
    """How a shell script explains itself: the text of its --help, or the comment at its top."""
    text = script.read_text(encoding="utf-8")
    found = re.search(r"<<'EOF'\n(.*?)\nEOF\n", text, re.DOTALL) or re.match(r"#!.*\n((?:#.*\n)+)", text)
    return re.sub(r"^# ?", "", found[1].strip("\n"), flags=re.MULTILINE) if found else ""


def make_page() -> str:
    """The text of docs/options.md."""
    lines = [HEAD]
    lines += section("train.py and eval.py", evaluation.make_options().parser, TRAIN)
    lines += section("preprocess_datasets.py", make_parser(""))
    lines += section("preprocess_surreal.py", make_parser("", only="surreal"))
    for title, (module, text) in OTHERS.items():
        lines += section(title, importlib.import_module(module).make_parser(), text)
    lines += ["## Shell scripts", "", SHELL]
    for script in sorted(REPOSITORY.glob("scripts/*.sh")):
        if script.read_text(encoding="utf-8").startswith("#!"):  # the others are parts of these
            lines += [f"### {script.name}", "", "```text", words_of_script(script), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
