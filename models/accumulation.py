"""Gradient accumulation: a large batch worked through in equal parts, for the memory of one of them."""

from mindspore import nn, ops

from models.compiled_cell import CompiledCell
from models.distributed import Shares, current_world_size
from models.training_step import TrainingStep, Update

_add = ops.MultitypeFuncGraph("decomr_add")
_clear = ops.MultitypeFuncGraph("decomr_clear")


@_add.register("Tensor", "Tensor")
def _add_to(total, gradient):
    return ops.assign_add(total, gradient)


@_clear.register("Tensor")
def _clear_it(total):
    return ops.assign(total, ops.zeros_like(total))


class _Collect(CompiledCell):
    """The inputs of a step's network -> its outputs; adds the gradients to `sums`."""

    def __init__(self, step: TrainingStep):
        super().__init__(auto_prefix=False)
        self.network = step.network
        self.forward_and_gradients = step.forward_and_gradients
        self.sums = step.optimizer.parameters.clone(prefix="gradient_sum", init="zeros")
        self.map = ops.HyperMap()

    def construct(self, *inputs):
        (_, outputs), gradients = self.forward_and_gradients(*inputs)
        self.map(_add, self.sums, gradients)
        return outputs


class _Apply(nn.Cell):
    """(request, total) -> Status as float32 [3]; one update with the collected gradients, then they are zero."""

    def __init__(self, update: Update, sums):
        super().__init__(auto_prefix=False)
        self.update = update
        self.sums = sums
        self.map = ops.HyperMap()

    def construct(self, request, total):
        status = self.update(self.sums, total, request)
        self.map(_clear, self.sums)
        return status


class AccumulatedStep:
    """A ReportedStep whose batch of `parts` * b samples is worked through b samples at a time.

    Losses and gradients are those of the whole batch: the total variation is a sum over samples, and
    the masked means get each sample's share of the whole batch in place of its flag (see
    models.distributed.Shares). BatchNorm alone sees b samples.
    """

    def __init__(self, step: TrainingStep, parts: int):
        self.step = step
        self.parts = MicroBatches(step.network.input_names, parts)
        self.collect = _Collect(step)
        self.apply = _Apply(step.update, self.collect.sums)

    def set_train(self, mode: bool = True):
        """As nn.Cell.set_train, for every cell of it."""
        for cell in (self.step, self.collect, self.apply):
            cell.set_train(mode)
        return self

    def __call__(self, request, *inputs):
        first, *others = self.parts(inputs)
        sums = self.collect(*first)
        for part in others:
            sums = tuple(a + b for a, b in zip(sums, self.collect(*part), strict=True))
        return sums, self.apply(request, sums[0])


class MicroBatches:
    """Cuts the inputs of a loss cell into `parts` equal ones, with shares for flags.

    A flag has_... becomes the sample's share in the mean over the flagged samples of all parts and ranks.
    """

    def __init__(self, input_names, parts: int):
        self.flags = [index for index, name in enumerate(input_names) if name.startswith("has_")]
        self.parts = parts
        self.shares = Shares(current_world_size())

    def __call__(self, inputs) -> list:
        inputs = list(inputs)
        if self.parts == 1:
            return [inputs]
        shares = self.shares(*[inputs[index] for index in self.flags])
        for index, share in zip(self.flags, shares, strict=True):
            inputs[index] = share
        size = len(inputs[-1]) // self.parts
        return [[_rows(column, start, size) for column in inputs] for start in range(0, size * self.parts, size)]


def _rows(column, start: int, size: int):
    """Rows of a column, or of each member of a tuple (the outputs of a frozen CNet)."""
    if isinstance(column, tuple):
        return tuple(_rows(member, start, size) for member in column)
    return column[start : start + size]
