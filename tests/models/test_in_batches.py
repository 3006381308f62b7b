"""Batches of one size: the last one is filled up, and nobody sees it."""

import utils.environment  # noqa: F401, I001  before MindSpore

import numpy as np
import pytest

from models.inference import run_in_batches


@pytest.mark.parametrize("count", [1, 3, 4, 8, 9])
def test_a_filled_up_batch_gives_what_each_sample_gives_alone(count):
    sizes = []

    def cell(first, second):
        sizes.append(len(first))
        return first * 2, first.sum(1) + second

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(count, 5)).astype(np.float32), rng.normal(size=count).astype(np.float32)
    doubled, summed = run_in_batches(cell, 4, first, second)
    np.testing.assert_array_equal(doubled, 2 * first)
    np.testing.assert_allclose(summed, first.sum(1) + second, rtol=1e-5, atol=1e-6)
    assert set(sizes) == {4}
