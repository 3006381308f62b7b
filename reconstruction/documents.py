"""Texts and JSON of other programs: UTF-8 with a byte order mark or without, UTF-16 as PowerShell writes it."""

import json
from pathlib import Path

from utils.errors import UserError


def read_text(path: Path, kind: str = "a text") -> str:
    """The text of a file; UserError where it cannot be read, or is not `kind`."""
    try:
        content = path.read_bytes()
        return content.decode(json.detect_encoding(content))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not {kind}: {error}.") from error


def load_json(path: Path):
    """The content of a JSON file, as json.loads gives it."""
    text = read_text(path, "JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
