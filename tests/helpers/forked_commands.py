"""Runs command lines of the entry scripts in forks of one process that has imported MindSpore.

Every command still has a process of its own, but not its three seconds of imports. Reads a list of
{"script", "arguments", "data_dir"} as JSON from standard input, writes a list of {"code", "stdout",
"stderr"}. With --short their networks are those of short_train.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.helpers import short_train

REPOSITORY = Path(__file__).resolve().parents[2]


def run_commands(commands: list[dict], short: bool = False) -> list[dict]:
    """The results of command lines; each command has `script` (its name), `arguments`, `data_dir`.

    short: with the networks of short_train.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "tests.helpers.forked_commands", *(["--short"] if short else [])],
        cwd=REPOSITORY, input=json.dumps(commands), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def _run_forked(script: str, arguments: list, data_dir: str) -> dict:
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if not child:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            os._exit(_run_here(script, arguments, data_dir))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = [stream.seek(0) or stream.read().decode() for stream in (stdout, stderr)]
    return {"code": code, "stdout": texts[0], "stderr": texts[1]}


def _run_here(script: str, arguments: list, data_dir: str) -> int:
    """What `python script.py arguments` does, up to its exit code."""
    from utils import config
    from utils.errors import run_command

    sys.argv = [f"{script}.py", *arguments]
    config.set_data_root(data_dir)
    try:
        run_command(importlib.import_module(script).main)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def main():
    if "--short" in sys.argv:
        short_train.install()
    for script in ("train", "eval", "demo", "export"):
        importlib.import_module(script)
    print(json.dumps([_run_forked(**command) for command in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
