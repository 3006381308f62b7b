"""Errors that a user can mend, and how every command line reports them.

A function that meets bad input raises UserError with one line: what was expected, what was
found, what to do next. The entry scripts run their main through `run_command`, which prints
that line and exits with code 2 instead of showing a traceback. What is odd but no error is
said by `warn`, in one line too.
"""

import errno
import io
import os
import sys

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # what only a writer is told
DISK_FAULTS = (*NO_ROOM, errno.EACCES, errno.EPERM, errno.EIO)


class UserError(Exception):
    """Bad input or set-up, explained in one line for the person at the terminal."""

    def __str__(self) -> str:
        return printable(super().__str__())


class CannotWrite(UserError):
    """The disk or folder does not take a file: the fault of no sample, so work on other samples is vain."""

    @classmethod
    def because(cls, path, error: OSError) -> "CannotWrite":
        """For an error that the system gave on writing to `path`."""
        return cls(f"cannot write {path}: {error.strerror}. Make room or mend the folder, then run this again.")


def program_name() -> str:
    """The name of the running program for its messages: the script's, or the package's of `python -m PACKAGE`."""
    folder, name = os.path.split(sys.argv[0])
    return os.path.basename(folder) if name == "__main__.py" else name


_warned: set[str] = set()
_is_quiet = False


def warn(line: str) -> None:
    """Print a line about what goes on otherwise than one may think; the same line once a process."""
    if line not in _warned and not _is_quiet:
        print(f"{program_name()}: warning: {printable(line)}", file=sys.stderr)
    _warned.add(line)


def silence_warnings() -> None:
    """For ranks after the first, which would say the same again."""
    global _is_quiet
    _is_quiet = True


def printable(text: str) -> str:
    """`text` in one line of UTF-8: line ends, controls and bytes of foreign encodings in names become \\x.. words."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def make_streams_safe() -> None:
    """Let standard output and errors write what their encoding lacks as \\x.., where Python would end with an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_command(main) -> None:
    """Run `main()` as a command: its int result (or 0) is the exit code, UserError and what a disk refuses become 2."""
    name = program_name()
    make_streams_safe()
    try:
        code = main() or 0
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        code = 2
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        place = error.filename or "a file"
        line = CannotWrite.because(place, error) if error.errno in NO_ROOM else f"{place}: {error.strerror}"
        print(f"{name}: error: {printable(str(line))}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
