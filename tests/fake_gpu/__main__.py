"""Runs a command as if this machine had NVIDIA GPUs: python -m tests.fake_gpu [OPTIONS] COMMAND ..."""

import argparse
import os
import sys

from tests.fake_gpu import build, stand_in


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_gpu", description=__doc__)
    parser.add_argument("--devices", type=int, default=1, help="number of GPUs (default: 1)")
    parser.add_argument("--finite", choices=("yes", "no"), default="yes", help="what IsFinite answers (default: yes)")
    parser.add_argument("--log", help="file to which every process appends its events")
    parser.add_argument("--free_gb", type=int, default=38, help="free memory of each GPU (default: 38)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    options = parser.parse_args()
    if not options.command:
        parser.error("no COMMAND is given")
    try:
        added = stand_in.environment(options.devices, options.finite == "yes", options.log, options.free_gb)
    except build.StandInUnavailable as reason:
        sys.exit(f"The stand-in cannot be made: {reason}.")
    os.execvpe(options.command[0], options.command, os.environ | added)


if __name__ == "__main__":
    main()
