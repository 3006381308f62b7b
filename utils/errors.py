"""Errors that a user can mend, and how every command line reports them.

A function that meets bad input raises UserError with one line: what was expected, what was
found, what to do next. The entry scripts run their main through `run_command`, which prints
that line and exits with code 2 instead of showing a traceback.
"""

import os
import sys


class UserError(Exception):
    """Bad input or set-up, explained in one line for the person at the terminal."""


def run_command(main) -> None:
    """Run `main()` as a command: its int result (or 0) is the exit code, UserError becomes 2."""
    name = os.path.basename(sys.argv[0])
    try:
        code = main() or 0
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
