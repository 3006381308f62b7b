"""GroupNorm (Wu & He, ECCV 2018) with its own backward pass.

On a CPU without compiled kernels it takes half to two thirds of the time of MindSpore's GroupNorm for maps of 16 pixels
a side and more, and about three quarters of what it takes with a derived backward pass (benchmarks/RESULTS.md). Sums
over pixels are products with a vector of ones, which oneDNN adds up in many partial sums: exact to float32 whatever the
size of the map. Scaling and shifting every channel of every sample is BatchNorm with fixed statistics, also oneDNN's.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

EPSILON = 1e-5  # as PyTorch's GroupNorm
# Statistics 0 and 1 need no epsilon. oneDNN wants a positive one; 1 + 1e-12 is 1 in float32.
FIXED_EPSILON = 1e-12


# the function ops.bias_add keeps a cache that MindSpore's compiler stumbles over
_add_bias = ops.BiasAdd()


def add_to_channels(features: Tensor, values: Tensor) -> Tensor:
    """features [B, C, H, W], values of B * C elements -> features plus the value of their channel and sample."""
    batch, channels, height, width = features.shape
    # every channel of every sample as a channel of its own
    rows = _add_bias(features.reshape(1, batch * channels, height, width), values.reshape(-1))
    return rows.reshape(batch, channels, height, width)


class GroupNorm(nn.Cell):
    """[B, C, H, W] -> the same, normalised over groups of C / groups channels; parameters gamma, beta [C]."""

    def __init__(self, groups: int, channels: int):
        super().__init__()
        self.groups = groups
        self.gamma = Parameter(initializer("ones", channels, ms.float32), name="gamma")
        self.beta = Parameter(initializer("zeros", channels, ms.float32), name="beta")
        self.normalise = _Normalise(groups)

    def construct(self, features: Tensor) -> Tensor:
        # statistics of half precision would overflow
        return self.normalise(features.astype(ms.float32), self.gamma, self.beta)[0].astype(features.dtype)


class _Normalise(nn.Cell):
    """(features [B, C, H, W], gamma [C], beta [C]) -> (normalised, mean [B, G, 1], 1 / deviation [B, G, 1]), float32.

    Gradients reach the inputs from the first output only; the other two are what its backward pass needs.
    """

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups
        self.scale_and_shift = ops.BatchNorm(is_training=False, epsilon=FIXED_EPSILON)

    def construct(self, features, gamma, beta):
        mean = self._group_mean(features)
        by_channel = (features.shape[0], self.groups, features.shape[1] // self.groups)
        # centred first: E[x^2] - E[x]^2 would cancel where a channel's mean is large
        centred = add_to_channels(features, ops.broadcast_to(-mean, by_channel))
        inverse_deviation = ops.rsqrt(self._group_mean(ops.square(centred)) + EPSILON)
        scale = self._grouped(gamma) * inverse_deviation
        shift = ops.broadcast_to(self._grouped(beta), by_channel)
        return self._affine(centred, scale, shift), mean, inverse_deviation

    def bprop(self, features, gamma, beta, outputs, gradients):
        gradient, mean, inverse_deviation = gradients[0].astype(ms.float32), outputs[1], outputs[2]
        batch, channels, height, width = features.shape
        # sums over the pixels of each channel, [B, G, C / G]
        gradient_sum = self._channel_sums(gradient)
        by_channel = gradient_sum.shape
        centred = add_to_channels(features, ops.broadcast_to(-mean, by_channel))
        product_sum = self._channel_sums(gradient * centred) * inverse_deviation
        grouped_gamma = self._grouped(gamma)
        count = channels // self.groups * height * width
        mean_gradient = (grouped_gamma * gradient_sum).sum(2, keepdims=True) / count
        mean_product = (grouped_gamma * product_sum).sum(2, keepdims=True) / count
        # (gamma g - mean(gamma g) - x mean(gamma g x)) / deviation, x normalised: linear in g and centred features
        shift = ops.broadcast_to(-inverse_deviation * mean_gradient, by_channel)
        slope = ops.broadcast_to(-inverse_deviation * inverse_deviation * mean_product, by_channel)
        # not +=, for which MindSpore copies both maps on a GPU
        of_gradient = self._affine(gradient, grouped_gamma * inverse_deviation, shift)
        of_features = of_gradient + self._affine(centred, slope, ops.zeros(by_channel, ms.float32))
        return of_features, product_sum.sum(0).reshape(channels), gradient_sum.sum(0).reshape(channels)

    def _grouped(self, values: Tensor) -> Tensor:
        """[C] -> [1, G, C / G]."""
        return values.reshape(1, self.groups, -1)

    def _channel_sums(self, features: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, G, C / G]."""
        batch, channels, height, width = features.shape
        rows = features.reshape(batch * channels, height * width)
        sums = ops.matmul(rows, ops.ones((height * width, 1), ms.float32))
        return sums.reshape(batch, self.groups, channels // self.groups)

    def _group_mean(self, features: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, G, 1]."""
        return self._channel_sums(features).mean(2, keep_dims=True) / (features.shape[2] * features.shape[3])

    def _affine(self, features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """scale * features + shift with scale and shift [B, G, C / G] of each channel of each sample."""
        batch, channels, height, width = features.shape
        count = batch * channels
        rows = features.reshape(1, count, height, width)  # every channel of every sample a channel of its own
        zeros, ones = ops.zeros((count,), ms.float32), ops.ones((count,), ms.float32)
        rows = self.scale_and_shift(rows, scale.reshape(count), shift.reshape(count), zeros, ones)[0]
        return rows.reshape(features.shape)
