"""Pages of one file whose meshes turn and whose people move: for eval.py's report and demo.py's."""
