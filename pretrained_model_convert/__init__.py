"""Weights between PyTorch and MindSpore: the networks of both sides and the converter."""
