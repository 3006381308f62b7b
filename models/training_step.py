"""One optimiser step of a loss cell: forward once, differentiate, average over ranks, update."""

import mindspore as ms
from mindspore import nn

from models.losses import current_world_size


class TrainingStep(nn.Cell):
    """The inputs of `network` -> its outputs (total, *terms); updates the optimiser's parameters.

    The forward pass runs once: losses and gradients come from the same evaluation.
    """

    def __init__(self, network: nn.Cell, optimizer: nn.Optimizer):
        super().__init__(auto_prefix=False)
        self.network = network
        self.network.set_grad()
        self.optimizer = optimizer
        self.forward_and_gradients = ms.value_and_grad(network, None, optimizer.parameters, has_aux=True)
        world_size = current_world_size()
        self.is_parallel = world_size > 1
        if self.is_parallel:
            self.average = nn.DistributedGradReducer(optimizer.parameters, mean=True, degree=world_size)

    def construct(self, *inputs):
        outputs, gradients = self.forward_and_gradients(*inputs)
        if self.is_parallel:
            gradients = self.average(gradients)
        self.optimizer(gradients)
        return outputs
