"""Read text and JSON that other programs wrote: UTF-8 with or without a byte order mark, or PowerShell's UTF-16."""

import json
from pathlib import Path

from utils.errors import UserError


def read_text(path: Path, kind: str = "a text") -> str:
    """Read the text of a file; UserError if it cannot be read or is not `kind`."""
    try:
        content = path.read_bytes()
        return content.decode(json.detect_encoding(content))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not {kind}: {error}.") from error


def load_json(path: Path):
    """Read a JSON file; returns what json.loads returns, UserError if it is not JSON."""
    text = read_text(path, "JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
