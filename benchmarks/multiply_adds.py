"""Count the multiply-adds of convolutions and matrix products while a network computes."""

import contextlib
import ctypes
import math
from collections.abc import Callable, Iterator
from unittest import mock

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import mindspore as ms


def _count_convolution(features, kernel, output) -> int:
    return output.size * math.prod(kernel.shape[1:])


def _count_compiled(features, kernel, output) -> int:
    from kernels import build  # the folder may be missing; then there are no such operators

    sizes = [(ctypes.c_int64 * 4)(*array.shape) for array in (features, kernel, output)]
    count = ctypes.CDLL(str(build.load())).multiply_adds
    count.restype = ctypes.c_int64
    return count(*sizes)


def _count_transposed(features, kernel, _output) -> int:
    return features.size * math.prod(kernel.shape[1:])


def _count_transposed_swapped(features, kernel, _output) -> int:
    return features.size * kernel.shape[0] * math.prod(kernel.shape[2:])


def _count_product(left, right, output) -> int:
    return output.size * left.shape[-1]  # no product here transposes its left matrix


# name -> count from (inputs, output)
COUNTS = {
    "Conv2D": lambda inputs, output: _count_convolution(*inputs[:2], output),
    "Conv2DTranspose": lambda inputs, output: _count_transposed(*inputs[:2], output),
    "MatMul": lambda inputs, output: _count_product(*inputs[:2], output),
    "BatchMatMul": lambda inputs, output: _count_product(*inputs[:2], output),
    # operators of kernels/native
    "convolve": lambda inputs, output: _count_compiled(*inputs[:2], output),
    "convolve_and_rectify": lambda inputs, output: _count_compiled(*inputs[:2], output),
    "convolve_twice": lambda inputs, outputs: sum(map(_count_convolution, inputs[:1] * 2, inputs[1:5:2], outputs)),
    "rectified_convolve": lambda inputs, outputs: _count_compiled(inputs[0], inputs[3], outputs[0]),
    "rectified_transposed_convolve": lambda inputs, outputs: _count_transposed_swapped(
        inputs[0], inputs[3], outputs[0]
    ),
}


@contextlib.contextmanager
def observe_multiply_adds(observe: Callable[[int], None]) -> Iterator[None]:
    """Call `observe` with the count of each convolution and matrix product that runs; PYNATIVE mode."""

    def observed(original):
        def call(primitive, *inputs):
            output = original(primitive, *inputs)
            name = primitive.func.rpartition(":")[2] if primitive.name == "Custom" else primitive.name
            name = name.removesuffix("_kept")
            if name in COUNTS:
                observe(COUNTS[name](inputs, output))
            return output

        return call

    with contextlib.ExitStack() as stack:
        # the classes that define __call__
        for kind in (ms.ops.Primitive, ms.ops.MatMul, ms.ops.BatchMatMul, ms.ops.Custom):
            stack.enter_context(mock.patch.object(kind, "__call__", observed(kind.__call__)))
        yield


def count_multiply_adds(run: Callable) -> int:
    """Count the multiply-adds of the convolutions and matrix products in `run`; PYNATIVE mode."""
    counted: list[int] = []
    with observe_multiply_adds(counted.append):
        run()
    return sum(counted)
