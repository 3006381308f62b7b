"""The command of earlier versions: python -m utils.unwrap is python -m atlas.unwrap."""

import runpy

if __name__ == "__main__":
    runpy.run_module("atlas.unwrap", run_name="__main__", alter_sys=True)
