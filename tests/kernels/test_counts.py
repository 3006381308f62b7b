"""benchmarks.floor counts the products that the compiled operators compute."""

import models  # noqa: F401, I001  before MindSpore

from mindspore import ops

from benchmarks.floor import count_multiply_adds
from kernels import operators


def test_the_products_of_compiled_convolutions_are_counted():
    image, kernel = ops.zeros((2, 3, 8, 8)), ops.zeros((5, 3, 3, 3))
    convolve = operators.make_convolution(stride=2, has_bias=True)
    assert count_multiply_adds(lambda: convolve(image, kernel, ops.zeros(5))) == 2 * 4 * 4 * 5 * 3 * 9
    # 16 for every 2 x 2 pixels, not 36
    many = (ops.zeros((2, 128, 14, 16)), ops.zeros((130, 128, 3, 3)))
    convolve = operators.make_convolution(stride=1, has_bias=False)
    assert count_multiply_adds(lambda: convolve(*many)) == 2 * 7 * 8 * 128 * 130 * 16
    both = operators.make_two_convolutions()
    kernels = (ops.zeros((16, 3, 1, 1)), ops.zeros(16), ops.zeros((5, 3, 1, 1)), ops.zeros(5))
    assert count_multiply_adds(lambda: both(image, *kernels)) == 2 * 8 * 8 * 3 * (16 + 5)
    norm = (ops.ones(3), ops.zeros(3))
    rectified = operators.make_rectified_convolution(groups=3, stride=2)
    assert count_multiply_adds(lambda: rectified(image, *norm, kernel, ops.zeros(5))) == 2 * 4 * 4 * 5 * 3 * 9
    rectified = operators.make_rectified_transposed_convolution(groups=3, stride=2)
    assert count_multiply_adds(lambda: rectified(image, *norm, ops.zeros((5, 3, 4, 4)))) == 2 * 8 * 8 * 3 * 5 * 16
