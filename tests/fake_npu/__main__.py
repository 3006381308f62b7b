"""Runs a command on the stand-in: python -m tests.fake_npu [OPTIONS] COMMAND ..."""

import argparse
import os
import sys

from tests.fake_npu import stand_in
from tests.fake_npu.build import StandInUnavailable


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_npu", description=__doc__)
    parser.add_argument("--devices", type=int, default=1, help="NPUs that the runtime reports")
    parser.add_argument("--finite", choices=("yes", "no"), default="yes", help="what aclnnIsFinite says")
    parser.add_argument("--log", help="the file to which every process appends its calls")
    parser.add_argument("--cores", type=int, default=16, help="cores of the processor that MindSpore sees")
    parser.add_argument("--absent", default="", metavar="A,B", help="names of aclnn functions that are not there")
    parser.add_argument("--refuse", default="", metavar="RE", help="calls that fail, as an extended regular expression")
    parser.add_argument("--soc", default="Ascend910B1", help="name of the chip")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run, with its arguments")
    options = parser.parse_args()
    if not options.command:
        parser.error("no command")
    try:
        variables = stand_in.environment(
            devices=options.devices,
            finite=options.finite == "yes",
            log=options.log,
            cores=options.cores,
            absent=[name for name in options.absent.split(",") if name],
            refuse=options.refuse,
            soc=options.soc,
        )
    except StandInUnavailable as reason:
        sys.exit(f"no stand-in: {reason}")
    os.execvpe(options.command[0], options.command, os.environ | variables)


if __name__ == "__main__":
    main()
