"""Max pooling that stays on the matrix cores of an NPU."""

import mindspore as ms
from mindspore import Tensor, mint, nn


class MaxPool2d(nn.MaxPool2d):
    """[B, C, H, W] -> [B, C, H', W'], the largest of each `size` x `size` window; `padding` counts as minus infinity.

    On Ascend MindSpore's layer becomes an operator of the NPU's few scalar cores, where mint's does not.
    """

    def __init__(self, size: int, stride: int, padding: int = 0):
        mode = {"pad_mode": "pad", "padding": padding} if padding else {}
        super().__init__(size, stride, **mode)
        self.window = size, stride, padding
        self.is_ascend = ms.get_context("device_target") == "Ascend"

    def construct(self, features: Tensor) -> Tensor:
        if self.is_ascend:
            return mint.nn.functional.max_pool2d(features, *self.window)
        return super().construct(features)
