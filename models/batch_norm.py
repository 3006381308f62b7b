"""BatchNorm (Ioffe & Szegedy, ICML 2015) of compiled operators: what they leave to do."""

from mindspore import Tensor, nn, ops


def track(norm: nn.BatchNorm2d, mean: Tensor, inverse_deviation: Tensor, features: Tensor) -> None:
    """Let the running statistics of `norm` follow those of a batch of `features` [B, C, H, W], [C] each."""
    keep = 1 - norm.momentum  # share of the running statistics that stays; MindSpore keeps the other
    mean, inverse_deviation = ops.stop_gradient(mean), ops.stop_gradient(inverse_deviation)
    variance = 1 / ops.square(inverse_deviation) - norm.eps
    count = features.shape[0] * features.shape[2] * features.shape[3]
    unbiased = variance * (count / max(count - 1, 1))
    ops.assign(norm.moving_mean, keep * norm.moving_mean + (1 - keep) * mean)
    ops.assign(norm.moving_variance, keep * norm.moving_variance + (1 - keep) * unbiased)
