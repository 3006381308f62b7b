"""DecoMR a second time, in PyTorch: an independent witness for tests and benchmarks.

Written from the paper (Zeng et al., CVPR 2020) and the published formulas, not from models/. It shares
no code with models/; parameter names are those of the public PyTorch release.
"""
