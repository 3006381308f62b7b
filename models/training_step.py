"""One optimiser step of a loss cell: differentiate, average over ranks, check, clip, update.

An update happens only when the total and every gradient are finite. Whether it did can be read from
`skipped`, the number of updates left out since the start.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from models import native_operators
from models.compiled_cell import CompiledCell
from models.losses import current_world_size
from utils import native_code

GROWTH_STEPS = 2000  # finite steps after which a dynamic loss scale doubles
FIRST_LOSS_SCALE = 2.0**15

_half_square_sum = ops.L2Loss()
_square_sum = ops.MultitypeFuncGraph("decomr_square_sum")
_multiply = ops.MultitypeFuncGraph("decomr_multiply")


@_square_sum.register("Tensor")
def _square_sum_of(gradient):
    return 2 * _half_square_sum(gradient.astype(ms.float32))


@_multiply.register("Tensor", "Tensor")
def _multiply_by(factor, gradient):
    return gradient * factor


class Update(nn.Cell):
    """(gradients, total) -> the norm of the gradients; updates the optimiser's parameters if all is finite.

    Args:
        clip_grad: longest gradient, over all parameters together; 0 leaves it as it is.
        loss_scaling: gradients arrive multiplied by `scale`, which halves when they overflow and
            doubles after GROWTH_STEPS steps without.
    """

    def __init__(self, optimizer: nn.Optimizer, clip_grad: float = 0.0, loss_scaling: bool = False):
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.clip_grad = clip_grad
        self.loss_scaling = loss_scaling
        self.scale = _counter(FIRST_LOSS_SCALE if loss_scaling else 1.0, "loss_scale", ms.float32)
        self.skipped = _counter(0, "skipped_updates", ms.int32)
        self.finite_steps = _counter(0, "finite_steps", ms.int32)
        self.map = ops.HyperMap()
        self.is_native = native_code.in_use()
        if self.is_native:
            self.square_sum = native_operators.square_sum()
        world_size = current_world_size()
        self.is_parallel = world_size > 1
        if self.is_parallel:
            self.average = nn.DistributedGradReducer(optimizer.parameters, mean=True, degree=world_size)
            self.all_reduce = ops.AllReduce()

    def construct(self, gradients, total):
        if self.is_parallel:
            gradients = self.average(gradients)
            total = self.all_reduce(total)  # all ranks decide alike
        if self.loss_scaling:
            gradients = self.map(ops.partial(_multiply, 1 / self.scale), gradients)
        norm = ops.sqrt(self.squared_norm(gradients))
        if self.clip_grad > 0:
            gradients = self.map(ops.partial(_multiply, ops.minimum(self.clip_grad / (norm + 1e-12), 1.0)), gradients)
        if ops.isfinite(norm + total):
            self.optimizer(gradients)
            self.finite_steps = self.finite_steps + 1
            if self.loss_scaling and self.finite_steps % GROWTH_STEPS == 0:
                self.scale = self.scale * 2
        else:
            self.skipped = self.skipped + 1
            self.finite_steps = ops.zeros_like(self.finite_steps)
            if self.loss_scaling:
                self.scale = ops.maximum(self.scale / 2, Tensor(1.0, ms.float32))
        return norm

    def squared_norm(self, gradients):
        """The sum of the squares of all numbers in `gradients`, a scalar."""
        if self.is_native:
            return self.square_sum(*gradients).reshape(())
        return ops.addn(self.map(_square_sum, gradients))


def _counter(value, name: str, dtype) -> Parameter:
    return Parameter(Tensor(value, dtype), name=name, requires_grad=False)


class TrainingStep(CompiledCell):
    """The inputs of `network` -> its outputs (total, *terms); updates the optimiser's parameters.

    The forward pass runs once: losses and gradients come from the same evaluation. clip_grad and
    loss_scaling are those of Update.
    """

    def __init__(self, network: nn.Cell, optimizer: nn.Optimizer, clip_grad: float = 0.0, loss_scaling: bool = False):
        super().__init__(auto_prefix=False)
        self.network = network
        self.network.set_grad()
        self.optimizer = optimizer
        self.update = Update(optimizer, clip_grad, loss_scaling)
        self.forward_and_gradients = ms.value_and_grad(self.scaled_loss, None, optimizer.parameters, has_aux=True)

    def scaled_loss(self, *inputs):
        """(the total times the loss scale, what the network gives): what is differentiated, and what is reported."""
        outputs = self.network(*inputs)
        return outputs[0] * self.update.scale, outputs

    def construct(self, *inputs):
        (_, outputs), gradients = self.forward_and_gradients(*inputs)
        self.update(gradients, outputs[0])
        return outputs
