"""A program for the stand-in's own tests: two steps of a product of matrices and a max pooling, on the NPU."""

import sys

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from tests.fake_npu.record import mark


class Step(nn.Cell):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)

    def construct(self, matrix, maps):
        product = ops.matmul(matrix, matrix)
        return product, self.pool(maps), ops.isfinite(product)


def main() -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE if "pynative" in sys.argv else ms.GRAPH_MODE)
    ms.set_device("Ascend")
    step = Step()
    for index in range(2):
        mark(f"step {index}")
        results = step(ms.Tensor(np.ones((5, 5), np.float32)), ms.Tensor(np.ones((2, 3, 8, 8), np.float32)))
        product, pooled, finite = (result.asnumpy() for result in results)
        print("shapes", product.shape, pooled.shape, "finite", finite.all())
    mark("end")


if __name__ == "__main__":
    main()
