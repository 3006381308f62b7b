"""Small data sets of generated photographs in the original formats of the benchmarks of this field.

They let every data set of datasets/registry.py be prepared, trained on and evaluated without downloading one, and they
show what its files look like. writers.py lists them; there is one module for each format. people.py takes the
photographs, with the camera and clothing of the synthetic UP-3D.
"""
