"""One optimiser step of a loss cell: differentiate, average over ranks, check, clip, update.

An update happens only when the total and every gradient are finite. A GPU or NPU decides that by selections: a branch
would keep Adam's moments on the host of a GPU, and does not compile on the hosts of some NPUs. A CPU branches, to the
same bits: there the selections take as long as the update itself. How many updates were left out since the start can
be read from `skipped`.
"""

from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from models.adam import Adam
from models.compiled_cell import CompiledCell
from models.distributed import Average, Gather, current_world_size

GROWTH_STEPS = 2000  # finite steps after which a dynamic loss scale doubles
FIRST_LOSS_SCALE = 2.0**15
NO_REQUEST = 0.0

_half_square_sum = ops.L2Loss()
_square_sum = ops.MultitypeFuncGraph("decomr_square_sum")
_multiply = ops.MultitypeFuncGraph("decomr_multiply")
_zero_unless = ops.MultitypeFuncGraph("decomr_zero_unless")
_copy = ops.MultitypeFuncGraph("decomr_copy")
_restore_unless = ops.MultitypeFuncGraph("decomr_restore_unless")


@ops.constexpr
def _is_cpu() -> bool:
    return ms.get_context("device_target") == "CPU"


@_square_sum.register("Tensor")
def _square_sum_of(gradient):
    gradient = gradient.astype(ms.float32)
    if _is_cpu():  # its L2Loss keeps one running sum, which is 1.4 % too small for nine million numbers
        return ops.square(gradient).reshape(gradient.shape[0], -1).sum(1).sum()
    return 2 * _half_square_sum(gradient)


@_multiply.register("Tensor", "Tensor")
def _multiply_by(factor, gradient):
    return gradient * factor


@_zero_unless.register("Tensor", "Tensor")
def _zero_unless_it(condition, gradient):
    return ops.select(condition, gradient, ops.zeros_like(gradient))


@_copy.register("Tensor")
def _copy_of(value):
    return ops.deepcopy(value)


@_restore_unless.register("Tensor", "Tensor", "Tensor")
def _restore_unless_it(condition, parameter, before):
    return ops.assign(parameter, ops.select(condition, parameter, before))


def takes_branch() -> bool:
    """Whether the device skips the optimiser by a branch."""
    return ms.get_context("device_target") == "CPU"


class Status(NamedTuple):
    """All that the host needs to know after a step, the same on all ranks."""

    left_out: int  # updates, since the start
    loss_scale: float
    request: int  # the largest of all ranks

    @classmethod
    def read(cls, status: Tensor) -> "Status":
        """From what Update gives; waits for the device."""
        left_out, loss_scale, request = status.asnumpy().tolist()
        return cls(int(left_out), loss_scale, int(request))


class Update(nn.Cell):
    """(gradients, total, request [1]) -> Status as float32 [3]; updates the optimiser's parameters if all is finite.

    request: what this rank asks of all ranks, a number that training.guards understands.

    Args:
        clip_grad: longest gradient, over all parameters together; 0 leaves it as it is.
        loss_scaling: gradients arrive multiplied by `scale`, which halves when they overflow and
            doubles after GROWTH_STEPS steps without.
    """

    def __init__(self, optimizer: nn.Optimizer, clip_grad: float = 0.0, loss_scaling: bool = False):
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.branches = takes_branch()
        self.can_skip = isinstance(optimizer, Adam)
        if not self.branches and not self.can_skip:
            self.state = ParameterTuple(optimizer.get_parameters())
        self.clip_grad = clip_grad
        self.loss_scaling = loss_scaling
        self.scale = _counter(FIRST_LOSS_SCALE if loss_scaling else 1.0, "loss_scale", ms.float32)
        self.skipped = _counter(0, "skipped_updates", ms.int32)
        self.finite_steps = _counter(0, "finite_steps", ms.int32)
        self.map = ops.HyperMap()
        self.ranks = current_world_size()
        # sums in place of ops.stack, which copies a list of addresses to a GPU at each call
        self.places = tuple(Tensor(row, ms.float32) for row in np.eye(len(Status._fields)))
        if self.ranks > 1:
            self.gather = Gather(self.ranks)
            self.average = Average(optimizer.parameters, self.ranks)

    def construct(self, gradients, total, request):
        if self.ranks > 1:
            words = self.gather(ops.concat([total.reshape(1), request]))
            total, request = words[:, 0].sum(), words[:, 1].max()
            gradients = (self.average(gradients),)
        if self.loss_scaling:
            gradients = self.map(ops.partial(_multiply, 1 / self.scale), gradients)
        norm = ops.sqrt(self.squared_norm(gradients))
        if self.clip_grad > 0:
            gradients = self.map(ops.partial(_multiply, ops.minimum(self.clip_grad / (norm + 1e-12), 1.0)), gradients)
        is_finite = ops.isfinite(norm + total)  # alike on all ranks
        if not self.branches:
            gradients = self.map(ops.partial(_zero_unless, is_finite), gradients)
        if self.ranks > 1:
            gradients = self.average.cut(gradients[0])
        self.apply(gradients, is_finite)
        self.count(is_finite)
        left_out, scale, request_place = self.places
        return left_out * self.skipped.astype(ms.float32) + scale * self.scale + request_place * request

    def squared_norm(self, gradients):
        """The sum of the squares of all numbers in `gradients`, a scalar."""
        return ops.addn(self.map(_square_sum, gradients))

    def apply(self, gradients, is_finite):
        """Let the optimiser update its parameters, or leave them, and all of its state, as they are."""
        if self.branches:
            if is_finite:
                self.optimizer(gradients)
        elif self.can_skip:
            self.optimizer(gradients, is_finite)
        else:
            before = self.map(_copy, self.state)
            self.optimizer(gradients)
            self.map(ops.partial(_restore_unless, is_finite), self.state, before)
        return is_finite  # a branch that gives nothing would leave Python in the graph

    def count(self, is_finite):
        """Count the update, or that it was left out, and let the loss scale follow."""
        self.skipped = self.skipped + 1 - is_finite.astype(ms.int32)
        finite_steps = (self.finite_steps + 1) * is_finite.astype(ms.int32)
        self.finite_steps = finite_steps
        if self.loss_scaling:
            grown = ops.select(finite_steps % GROWTH_STEPS == 0, 2 * self.scale, self.scale)
            self.scale = ops.select(is_finite, grown, ops.maximum(self.scale / 2, Tensor(1.0, ms.float32)))


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
        self.no_request = Tensor([NO_REQUEST], ms.float32)
        self.forward_and_gradients = ms.value_and_grad(self.scaled_loss, None, optimizer.parameters, has_aux=True)

    def scaled_loss(self, *inputs):
        """(the total times the loss scale, what the network gives): what is differentiated, and what is reported."""
        outputs = self.network(*inputs)
        return outputs[0] * self.update.scale, outputs

    def construct(self, *inputs):
        (_, outputs), gradients = self.forward_and_gradients(*inputs)
        self.update(gradients, outputs[0], self.no_request)
        return outputs


class ReportedStep(CompiledCell):
    """(request, *inputs of a TrainingStep) -> its outputs (total, *terms), Status as float32 [3]."""

    def __init__(self, step: TrainingStep):
        super().__init__(auto_prefix=False)
        self.step = step
        self.forward_and_gradients = step.forward_and_gradients
        self.update = step.update

    def construct(self, request, *inputs):
        (_, outputs), gradients = self.forward_and_gradients(*inputs)
        return outputs, self.update(gradients, outputs[0], request)
