"""Errors that a user can mend, and how every command reports them.

A function that meets bad input raises UserError with one line: what was expected, what was
found, what to do next. The entry scripts run their main through `run_command`, which prints
that line and exits with code 2 instead of showing a traceback. `warn` prints one line about
something unusual that is no error.
"""

import errno
import io
import os
import sys

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors that occur on writing only
DISK_FAULTS = (*NO_ROOM, errno.EACCES, errno.EPERM, errno.EIO)


class UserError(Exception):
    """Bad input or set-up, explained in one line for the person at the terminal."""

    def __str__(self) -> str:
        return printable(super().__str__())


class CannotWrite(UserError):
    """The disk or folder does not take a file. Other samples would fail as well, so the work stops."""

    @classmethod
    def because(cls, path, error: OSError) -> "CannotWrite":
        """The CannotWrite for an error of the system on writing to `path`."""
        return cls(f"cannot write {path}: {error.strerror}. Make room or mend the folder, then run this again.")


def program_name() -> str:
    """The name of the running program for its messages: the script's, or the package's of `python -m PACKAGE`."""
    folder, name = os.path.split(sys.argv[0])
    return os.path.basename(folder) if name == "__main__.py" else name


_warned: set[str] = set()
_is_quiet = False


def warn(line: str) -> None:
    """Print a warning in one line; each line is printed once a process."""
    if line not in _warned and not _is_quiet:
        print(f"{program_name()}: warning: {printable(line)}", file=sys.stderr)
    _warned.add(line)


def silence_warnings() -> None:
    """Print no warnings: the ranks after the first would repeat those of the first."""
    global _is_quiet
    _is_quiet = True


def printable(text: str) -> str:
    """`text` in one line of UTF-8: line ends, control characters and bytes of other encodings become \\x.. words."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def make_streams_safe() -> None:
    """Let standard output and standard error write characters that their encoding lacks as \\x.. instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_command(main) -> None:
    """Run `main()` as a command and exit: with its int result (or 0), or with 2 after a UserError or a full disk."""
    make_streams_safe()
    code, line = _outcome(main)
    if line:  # printed when the exception is gone, and with it any progress bar of its frames, whose line ends then
        print(f"{program_name()}: {line}", file=sys.stderr)
    sys.exit(code)


def _outcome(main) -> tuple[int, str]:
    """The exit code of `main()`, and the line that says what ended it, or nothing."""
    try:
        return main() or 0, ""
    except UserError as error:
        return 2, f"error: {error}"
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        place = error.filename or "a file"
        line = CannotWrite.because(place, error) if error.errno in NO_ROOM else f"{place}: {error.strerror}"
        return 2, f"error: {printable(str(line))}"
    except KeyboardInterrupt:
        return 130, "interrupted"
