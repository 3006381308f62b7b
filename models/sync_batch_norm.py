"""BatchNorm whose statistics are those of the whole batch over all ranks (--sync_bn).

Written with AllReduce, so it runs wherever MindSpore's collectives do; MindSpore's own
SyncBatchNorm is for Ascend alone.
"""

from mindspore import Tensor, nn, ops

MOMENTUM = 0.1  # share of the new statistics in the running ones, as PyTorch and nn.BatchNorm2d here


class SyncBatchNorm(nn.Cell):
    """[B, C] or [B, C, H, W] -> the same; takes over the parameters of `norm`, an nn.BatchNorm1d or 2d.

    The ranks' batches must be of one size. Averaging gradients over ranks, as TrainingStep does, gives
    the gradient of the whole batch: AllReduce sums in its backward pass too.
    """

    def __init__(self, norm: nn.Cell, world_size: int):
        super().__init__()
        self.gamma, self.beta = norm.gamma, norm.beta
        self.moving_mean, self.moving_variance = norm.moving_mean, norm.moving_variance
        self.epsilon = norm.eps
        self.world_size = world_size
        self.all_reduce = ops.AllReduce()

    def construct(self, features: Tensor) -> Tensor:
        axes = (0,) if features.ndim == 2 else (0, 2, 3)
        mean, variance = self.moving_mean, self.moving_variance
        if self.training:
            count = self.world_size * features.size // features.shape[1]
            mean = self.all_reduce(features.sum(axes)) / count
            centred = features - self._along_channels(mean, features)
            variance = self.all_reduce(ops.square(centred).sum(axes)) / count
            self._remember(mean, variance * (count / (count - 1)))
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shifted = features - self._along_channels(mean, features)
        return shifted * self._along_channels(scale, features) + self._along_channels(self.beta, features)

    @staticmethod
    def _along_channels(values: Tensor, features: Tensor) -> Tensor:
        """[C] -> [1, C] or [1, C, 1, 1], as many axes as `features` has."""
        return values.reshape((1, -1) + (1,) * (features.ndim - 2))

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            ops.assign(kept, ops.stop_gradient(kept + MOMENTUM * (new - kept)))


def synchronise_batch_norms(network: nn.Cell, world_size: int) -> None:
    """Replace every BatchNorm of `network` where there are several ranks; parameters and their names stay."""
    if world_size == 1:
        return
    for _, cell in list(network.cells_and_names()):
        for index, (name, child) in enumerate(cell.name_cells().items()):
            if not isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                continue
            if isinstance(cell, nn.SequentialCell):
                cell[index] = SyncBatchNorm(child, world_size)
            else:
                setattr(cell, name, SyncBatchNorm(child, world_size))
