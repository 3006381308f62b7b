"""The version of this software: `--version` of each program prints it, and config.json beside weights states it."""

VERSION = "1.1.0"
