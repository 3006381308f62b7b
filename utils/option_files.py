"""Options in a JSON file, for --from_json: one object with an option's name and value in each entry.

The entries become words of a command line, so that types and choices are checked in the same way.
"""

import argparse
import difflib
import json
from pathlib import Path

from utils.errors import UserError

TRAINED_ON = "trained_on"  # an entry of config.json that is no option; see atlas/trained_on.py
WRITTEN_BY = "version"  # the other: the version of this software that wrote the file
NAMED = 3  # unknown names that an error lists


def read_words(parser: argparse.ArgumentParser, path) -> list[str]:
    """The file's options as words for `parser`; UserError, which names the file, if it holds anything else."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"--from_json {path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"--from_json {path} holds a {type(content).__name__}, expected an object of options.")
    try:
        return words_of(parser, content)
    except UserError as error:
        raise UserError(f"--from_json {path}: {error}") from error


def words_of(parser: argparse.ArgumentParser, content: dict) -> list[str]:
    """Options by name, as a JSON file holds them, as words for `parser`; UserError if a name or a type is wrong."""
    defaults = vars(parser.parse_args([]))
    spellings = {word.lstrip("-"): action.dest for action in parser._actions for word in action.option_strings}
    options = {name: value for name, value in content.items() if name not in (TRAINED_ON, WRITTEN_BY)}
    unknown = [name for name in options if spellings.get(name) not in defaults]
    if unknown:
        listed = [_with_nearest(name, spellings) for name in unknown[:NAMED]]
        raise UserError(f"holds unknown options: {', '.join(listed)}{', ...' if unknown[NAMED:] else ''}.")
    first: dict[str, str] = {}  # option -> the name that the file gives it
    for name, value in options.items():
        other = first.setdefault(spellings[name], name)
        if other != name:
            raise UserError(f"holds {other} and {name}, which set the same option; give one of them.")
        if isinstance(value, dict | list):
            raise UserError(f"{name} is {_short(json.dumps(value))}, expected one number, text, true, false or null.")
    # null stands for an option without a value
    given = {name: value for name, value in options.items() if value is not None or defaults[spellings[name]]}
    words = [f"--{name}={value}" for name, value in given.items()]
    if any("\0" in word for word in words):
        raise UserError("a value holds the character NUL.")
    parser.parse_args(words)
    return words


def _without_repeats(pairs: list) -> dict:
    """The entries of a JSON object; ValueError if a name stands in it twice, of which json would keep the last."""
    content: dict = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"{_short(name)} stands in it twice")
        content[name] = value
    return content


def _with_nearest(name: str, known) -> str:
    """The name, with the known one that is most like it, if there is one."""
    nearest = difflib.get_close_matches(name, known, n=1) if len(name) < 100 else []
    return f"{name} (did you mean {nearest[0]}?)" if nearest else _short(name)


def _short(text: str) -> str:
    return text if len(text) < 60 else f"{text[:57]}..."
