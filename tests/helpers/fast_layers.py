"""Layers with compiled kernels, and the cases in which tests of operators run them."""

from mindspore import nn

from tests.helpers.parity import as_variant


def fast(cell: nn.Cell) -> nn.Cell:
    """`cell`, with compiled kernels."""
    before = type(cell)
    as_variant(cell, "compiled")
    assert type(cell) is not before
    return cell


def conv2d(read: int, written: int, size: int, stride: int = 1, **options) -> nn.Conv2d:
    return fast(nn.Conv2d(read, written, size, stride, pad_mode="pad", padding=size // 2, **options))


def both_modes(cases, in_graph) -> list:
    """(mode, *case): all `cases` in PYNATIVE mode, those of `in_graph` in GRAPH mode."""
    return [*(("pynative", *case) for case in cases), *(("graph", *case) for case in in_graph)]
