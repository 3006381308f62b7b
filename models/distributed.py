"""What the ranks of a data-parallel run compute together: averages, shares of means, and BatchNorm over all samples.

Small arrays are gathered from all ranks and added up on each; only gradients are reduced, all of them at once.
MindSpore's GPU part compiles no graph with several AllReduce that each feed a kernel, and any number of AllGather.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.communication import get_group_size

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

_slice = ops.Slice()
_flatten = ops.MultitypeFuncGraph("decomr_flatten")
_cut_out = ops.MultitypeFuncGraph("decomr_cut_out")


def current_world_size() -> int:
    """Number of ranks of a data-parallel run; 1 in any other."""
    if ms.get_auto_parallel_context("parallel_mode") != "data_parallel":
        return 1
    return get_group_size()


class Gather(nn.Cell):
    """[N] -> [ranks, N]: the values of every rank, by rank. No gradient."""

    def __init__(self, ranks: int):
        super().__init__()
        self.ranks = ranks
        if ranks > 1:
            self.all_gather = ops.AllGather()

    def construct(self, values: Tensor) -> Tensor:
        values = ops.stop_gradient(values)
        return self.all_gather(values).reshape(self.ranks, -1) if self.ranks > 1 else values[None]


@_flatten.register("Tensor")
def _flatten_it(array):
    return array.reshape(-1)


@_cut_out.register("Tensor", "Number", "Number", "Tensor")
def _cut_it_out(flat, start, size, parameter):
    return _slice(flat, (start,), (size,)).reshape(parameter.shape)


class Average(nn.Cell):
    """Arrays, one for each of `parameters` -> their means over the ranks in one flat array, by one AllReduce."""

    def __init__(self, parameters, ranks: int):
        super().__init__(auto_prefix=False)
        self.ranks = ranks
        self.parameters = parameters
        # loops and Tensor's own indexing would take ten times as long to compile
        self.sizes = tuple(int(np.prod(parameter.shape)) for parameter in parameters)
        self.starts = (0, *np.cumsum(self.sizes[:-1]).tolist())
        self.map = ops.HyperMap()
        self.all_reduce = ops.AllReduce()

    def construct(self, arrays):
        return self.all_reduce(ops.concat(self.map(_flatten, arrays))) / self.ranks

    def cut(self, flat: Tensor) -> tuple:
        """The arrays that `flat` was put together from."""
        return self.map(ops.partial(_cut_out, flat), self.starts, self.sizes, self.parameters)


class Shares(nn.Cell):
    """Flags [B] of annotations -> for each the share [B] of every sample in the mean over all that carry it.

    The sum of values [B] times shares is the mean over the samples whose flag is 1, and 0 where there are none. The
    count is taken over all ranks and the share multiplied by their number, so that averaging the gradients over ranks
    gives the gradient of the mean over the whole batch.
    """

    def __init__(self, ranks: int = 1):
        super().__init__()
        self.ranks = ranks
        self.gather = Gather(ranks)

    def construct(self, *flags):
        counts = [flag.sum() for flag in flags]
        if self.ranks > 1:
            gathered = self.gather(ops.stack(counts)).sum(0)
            counts = [gathered[index] for index in range(len(flags))]
        return tuple(
            [self.ranks * flag / ops.maximum(count, Tensor(1.0, ms.float32)) for flag, count in zip(flags, counts)]  # noqa: B905  parsed
        )


class SyncBatchNorm(nn.Cell):
    """Stands in for a BatchNorm layer [B, C] or [B, C, H, W], with its parameters and their names (--sync_bn).

    MindSpore's own nn.SyncBatchNorm exists on Ascend only. This one adds up over the ranks twice in the forward pass
    and once in the backward pass, and gives every rank what one process gives for the whole batch. In evaluation mode
    it is the layer that it stands for.
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
        dtype = features.dtype
        features = features.astype(ms.float32)
        if not self.training:
            statistics = (self.moving_mean, self.moving_variance)
            return self.evaluate(features, self.gamma, self.beta, *statistics)[0].astype(dtype)
        rows = features.reshape(features.shape[0], features.shape[1], -1)
        normalised, mean, variance = self.normalise(rows, self.gamma, self.beta)
        count = self.ranks * rows.shape[0] * rows.shape[2]
        mean, unbiased = ops.stop_gradient(mean), ops.stop_gradient(variance) * (count / (count - 1))
        ops.assign(self.moving_mean, self.keep * self.moving_mean + (1 - self.keep) * mean)
        ops.assign(self.moving_variance, self.keep * self.moving_variance + (1 - self.keep) * unbiased)
        return normalised.reshape(features.shape).astype(dtype)


class _Normalise(nn.Cell):
    """(rows [B, C, P], gamma [C], beta [C]) -> (normalised [B, C, P], mean [C], variance [C]) over all ranks, float32.

    Gradients reach the inputs from the first output only; the other two are what its backward pass needs.
    Each rank's gradient is that of the sum of all ranks' losses; the mean over ranks is taken of the
    gradients of parameters.
    """

    def __init__(self, ranks: int, epsilon: float):
        super().__init__()
        self.ranks, self.epsilon = ranks, epsilon
        self.gather = Gather(ranks)

    def construct(self, rows, gamma, beta):
        count = self.ranks * rows.shape[0] * rows.shape[2]
        mean = self.gather(_channel_sums(rows)).sum(0) / count
        centred = rows - mean[:, None]
        variance = self.gather(_channel_sums(centred * centred)).sum(0) / count
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        return centred * scale[:, None] + beta[:, None], mean, variance

    def bprop(self, rows, gamma, beta, outputs, gradients):
        gradient, mean, variance = gradients[0].astype(ms.float32), outputs[1], outputs[2]
        batch, channels, pixels = rows.shape
        inverse_deviation = ops.rsqrt(variance + self.epsilon)
        normalised = (rows - mean[:, None]) * inverse_deviation[:, None]
        own_sums = ops.concat((_channel_sums(gradient), _channel_sums(gradient * normalised)))
        means = self.gather(own_sums).sum(0) / (self.ranks * batch * pixels)
        of_rows = gradient - means[:channels, None] - normalised * means[channels:, None]
        return of_rows * (gamma * inverse_deviation)[:, None], own_sums[channels:], own_sums[:channels]


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
        for index, (name, child) in enumerate(cell.name_cells().items()):
            if not isinstance(child, BATCH_NORMS):
                continue
            if isinstance(cell, nn.SequentialCell):
                cell[index] = SyncBatchNorm(child, ranks)
            else:
                setattr(cell, name, SyncBatchNorm(child, ranks))
