"""BatchNorm over the batches of all ranks (--sync_bn).

MindSpore's own nn.SyncBatchNorm exists on Ascend only. This one takes two sums over the ranks in the
forward pass and one in the backward pass, and gives every rank what one process gives for the whole batch.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from models.resnet import Bottleneck

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class SyncBatchNorm(nn.Cell):
    """Stands in for a BatchNorm layer [B, C] or [B, C, H, W], with its parameters and their names.

    In evaluation mode it is that layer.
    """

    def __init__(self, local: nn.Cell, ranks: int):
        super().__init__()
        self.gamma, self.beta = local.gamma, local.beta
        self.moving_mean, self.moving_variance = local.moving_mean, local.moving_variance
        self.ranks = ranks
        self.keep = 1 - local.momentum  # share of the running statistics that stays; MindSpore keeps the other
        self.normalise = _Normalise(ranks, local.eps)
        self.evaluate = ops.BatchNorm(is_training=False, epsilon=local.eps)

    def construct(self, features: Tensor) -> Tensor:
        if not self.training:
            statistics = (self.moving_mean, self.moving_variance)
            return self.evaluate(features, self.gamma, self.beta, *statistics)[0]
        rows = features.reshape(features.shape[0], features.shape[1], -1)
        normalised, mean, variance = self.normalise(rows, self.gamma, self.beta)
        count = self.ranks * rows.shape[0] * rows.shape[2]
        mean, unbiased = ops.stop_gradient(mean), ops.stop_gradient(variance) * (count / (count - 1))
        ops.assign(self.moving_mean, self.keep * self.moving_mean + (1 - self.keep) * mean)
        ops.assign(self.moving_variance, self.keep * self.moving_variance + (1 - self.keep) * unbiased)
        return normalised.reshape(features.shape)


class _Normalise(nn.Cell):
    """(rows [B, C, P], gamma [C], beta [C]) -> (normalised [B, C, P], mean [C], variance [C]) over all ranks.

    Gradients reach the inputs from the first output only; the other two are what its backward pass needs.
    Each rank's gradient is that of the sum of all ranks' losses; the mean over ranks is taken of the
    gradients of parameters.
    """

    def __init__(self, ranks: int, epsilon: float):
        super().__init__()
        self.ranks, self.epsilon = ranks, epsilon
        self.all_reduce = ops.AllReduce()

    def construct(self, rows, gamma, beta):
        count = self.ranks * rows.shape[0] * rows.shape[2]
        mean = self.all_reduce(_channel_sums(rows)) / count
        centred = rows - mean[:, None]
        variance = self.all_reduce(_channel_sums(centred * centred)) / count
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        return centred * scale[:, None] + beta[:, None], mean, variance

    def bprop(self, rows, gamma, beta, outputs, gradients):
        gradient, mean, variance = gradients[0], outputs[1], outputs[2]
        count = self.ranks * rows.shape[0] * rows.shape[2]
        inverse_deviation = ops.rsqrt(variance + self.epsilon)
        normalised = (rows - mean[:, None]) * inverse_deviation[:, None]
        own_sums = ops.stack((_channel_sums(gradient), _channel_sums(gradient * normalised)))
        means = self.all_reduce(own_sums) / count
        of_rows = gradient - means[0][:, None] - normalised * means[1][:, None]
        return of_rows * (gamma * inverse_deviation)[:, None], own_sums[1], own_sums[0]


def _channel_sums(rows: Tensor) -> Tensor:
    """[B, C, P] -> [C]; products with ones are added up in many partial sums."""
    batch, channels, pixels = rows.shape
    sums = ops.matmul(rows.reshape(batch * channels, pixels), ops.ones((pixels, 1), ms.float32))
    return sums.reshape(batch, channels).sum(0)


def synchronise_batch_norm(network: nn.Cell, ranks: int) -> None:
    """Let every BatchNorm layer of `network` take its statistics over `ranks` ranks; names of parameters stay."""
    if ranks == 1:
        return
    for _, cell in list(network.cells_and_names()):
        if isinstance(cell, Bottleneck):
            cell.fuses = False  # its compiled operators know one rank
        for index, (name, child) in enumerate(cell.name_cells().items()):
            if not isinstance(child, BATCH_NORMS):
                continue
            if isinstance(cell, nn.SequentialCell):
                cell[index] = SyncBatchNorm(child, ranks)
            else:
                setattr(cell, name, SyncBatchNorm(child, ranks))
