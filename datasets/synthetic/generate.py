"""The command of earlier versions: python -m datasets.synthetic.generate is python -m synthetic.generate."""

import runpy

if __name__ == "__main__":
    runpy.run_module("synthetic.generate", run_name="__main__", alter_sys=True)
