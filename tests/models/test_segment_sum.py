"""Sums of rows by segment: the same on a GPU, whose operator is another one."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest

from models import segment_sum
from tests.helpers.parity import running_in

ROWS, SEGMENTS = np.arange(12, dtype=np.float32).reshape(6, 2), np.array([3, 0, 3, 1, 0, 3], np.int32)


@pytest.mark.parametrize("mode", ["pynative", "graph"])
@pytest.mark.parametrize("is_gpu", [False, True])
def test_rows_of_a_segment_are_added_and_its_gradient_reaches_each_of_them(monkeypatch, is_gpu, mode):
    monkeypatch.setattr(segment_sum, "_is_gpu", ms.ops.constexpr(lambda: is_gpu))
    expected, weights = np.zeros((4, 2)), np.arange(8, dtype=np.float32).reshape(4, 2)
    np.add.at(expected, SEGMENTS, ROWS)

    class Weighted(ms.nn.Cell):
        def __init__(self):
            super().__init__()
            self.sums = segment_sum.SegmentSum()

        def construct(self, rows):
            sums = self.sums(rows, ms.Tensor(SEGMENTS), ms.ops.zeros((4, 2), ms.float32))
            return (sums * ms.Tensor(weights)).sum(), sums

    with running_in(mode):
        (_, found), gradient = ms.value_and_grad(Weighted(), has_aux=True)(ms.Tensor(ROWS))
    np.testing.assert_array_equal(found.asnumpy(), expected)
    np.testing.assert_array_equal(gradient.asnumpy(), weights[SEGMENTS])
