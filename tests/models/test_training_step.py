"""The training step: updates that are left out, clipping, loss scaling, and accumulation, in both modes."""

import utils.environment  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from models import losses
from models.accumulation import AccumulatedStep, MicroBatches
from models.adam import Adam
from models.distributed import Shares
from models.training_step import FIRST_LOSS_SCALE, NO_REQUEST, ReportedStep, Status, TrainingStep

RATE = 0.1


@pytest.fixture(params=["pynative", "graph"])
def mode(request):
    before = ms.get_context("mode")
    chosen = ms.PYNATIVE_MODE if request.param == "pynative" else ms.GRAPH_MODE
    ms.set_context(mode=chosen)
    yield chosen
    ms.set_context(mode=before)


@pytest.fixture
def way(request, monkeypatch):
    """A CPU skips an update by a branch, other devices by selections."""
    monkeypatch.setattr("models.training_step.takes_branch", lambda: request.param == "branches")


in_every_way = pytest.mark.parametrize(
    "mode, way",
    [
        ("pynative", "branches"),
        ("pynative", "selects"),
        ("graph", "branches"),
        pytest.param("graph", "selects", marks=pytest.mark.slow),
    ],
    indirect=True,
)


class Loss(nn.Cell):
    """A masked mean, a mean over everyone and a sum, as the losses of stage end are."""

    input_names = ("values", "has_target", "target")
    loss_names = ("masked", "everyone", "sum")

    def __init__(self, parts: int = 1):
        super().__init__()
        self.dense = nn.Dense(3, 2)
        self.dense.weight.set_data(ms.Tensor(np.linspace(-1, 1, 6).reshape(2, 3), ms.float32))
        self.dense.bias.set_data(ms.Tensor([0.1, -0.2], ms.float32))
        self.parts = parts
        self.shares = Shares()

    def construct(self, values, has_target, target):
        if self.parts == 1:
            (has_target,) = self.shares(has_target)
        output = self.dense(values)
        target = losses.annotated_only(target, has_target)
        masked = losses.annotated_mean(((output - target) ** 2).sum(1), has_target)
        everyone = (output**2).sum(1).mean() / self.parts
        summed = 0.01 * ms.ops.abs(output).sum()
        return masked + everyone + summed, masked, everyone, summed


def batch(size: int = 6) -> list:
    rng = np.random.default_rng(3)
    flags = np.array([1, 0, 0, 0, 1, 1])[:size]
    target = rng.normal(size=(size, 2))
    target[flags == 0] = np.nan
    return [ms.Tensor(array, ms.float32) for array in (rng.normal(size=(size, 3)), flags, target)]


class SquaredNorm(nn.Cell):
    """What an update finds for the norm of gradients, squared."""

    def __init__(self, update):
        super().__init__(auto_prefix=False)
        self.update = update

    def construct(self, *gradients):
        return self.update.squared_norm(gradients)


OPTIMISERS = {
    "SGD": lambda parameters: nn.SGD(parameters, RATE, momentum=0.9, weight_decay=0.1),
    "MindSpore's Adam": lambda parameters: nn.Adam(parameters, RATE, weight_decay=0.1),
    "Adam": lambda parameters: Adam(parameters, RATE, weight_decay=0.1),
}
REQUEST = ms.Tensor([NO_REQUEST], ms.float32)


def make_step(optimiser=None, **settings) -> TrainingStep:
    loss = Loss()
    make = OPTIMISERS.get(optimiser, lambda parameters: nn.SGD(parameters, RATE))
    return TrainingStep(loss, make(loss.trainable_params()), **settings).set_train(True)


def weights(step) -> np.ndarray:
    return np.concatenate([parameter.asnumpy().ravel() for parameter in step.optimizer.parameters])


def moved(step, inputs) -> np.ndarray:
    before = weights(step)
    step(*inputs)
    return weights(step) - before


def spoilt(inputs) -> list:
    return [ms.Tensor(np.full(inputs[0].shape, np.inf), ms.float32), *inputs[1:]]


def state(step) -> dict:
    """Weights, moments and counters, but for those of the updates themselves."""
    # copies: asnumpy shows the memory that the next step changes
    values = {name: value.asnumpy().copy() for name, value in step.parameters_and_names()}
    return {name: value for name, value in values.items() if name not in ("update.skipped", "update.finite_steps")}


@in_every_way
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_an_update_that_is_not_finite_is_left_out_and_counted(mode, way, optimiser):
    """Weights, moments and counters stay bit by bit, before the first update and between two."""
    step = make_step(optimiser)
    start, untouched = state(step), []
    for _ in range(2):
        step(*batch())
        untouched.append(state(step))
    for name, parameter in step.parameters_and_names():  # back to the start: another step would compile anew
        if name in start:
            ms.ops.assign(parameter, ms.Tensor(start[name]))
    for skipped, expected in enumerate(untouched, 1):
        before = state(step)
        assert len(before) > 2
        assert not np.isfinite(float(step(*spoilt(batch()))[0].asnumpy()))
        assert int(step.update.skipped.asnumpy()) == skipped
        for name, value in state(step).items():
            assert value.tobytes() == before[name].tobytes(), name
        step(*batch())
        assert int(step.update.skipped.asnumpy()) == skipped
        for name, value in state(step).items():  # as if nothing had been
            assert value.tobytes() == expected[name].tobytes(), name


@in_every_way
def test_a_gradient_alone_that_is_not_finite_is_enough(mode, way):
    """The loss sqrt(x) is 0 at 0; its gradient is infinite."""

    class Root(nn.Cell):
        def __init__(self):
            super().__init__()
            self.weight = ms.Parameter(ms.Tensor([0.0, 1.0], ms.float32), name="weight")

        def construct(self, values):
            return (ms.ops.sqrt(self.weight * values).sum(),)

    root = Root()
    step = TrainingStep(root, Adam(root.trainable_params(), RATE))
    assert np.isfinite(step(ms.Tensor([1.0, 1.0], ms.float32))[0].asnumpy())
    assert int(step.update.skipped.asnumpy()) == 1
    assert weights(step).tolist() == [0, 1]


@in_every_way
def test_the_status_says_what_the_host_needs_to_know(mode, way):
    """Updates left out, the loss scale, and the request that was put in."""
    step = make_step("Adam", loss_scaling=True)
    reported, plain = ReportedStep(step), make_step("Adam", loss_scaling=True)
    outputs, status = reported(ms.Tensor([7.0], ms.float32), *spoilt(batch()))
    assert status.asnumpy().tolist() == [1, FIRST_LOSS_SCALE / 2, 7]
    outputs, status = reported(REQUEST, *batch())
    assert status.asnumpy().tolist() == [1, FIRST_LOSS_SCALE / 2, NO_REQUEST]
    plain(*spoilt(batch()))
    expected = plain(*batch())
    assert [float(value.asnumpy()) for value in outputs] == [float(value.asnumpy()) for value in expected]


@pytest.mark.parametrize("mode", ["graph"], indirect=True)
def test_the_graph_of_a_step_holds_no_python(mode):
    """The strict syntax refuses it; it would run at every step."""
    ms.set_context(jit_syntax_level=ms.STRICT)
    try:
        _, status = ReportedStep(make_step("Adam"))(REQUEST, *batch())
    finally:
        ms.set_context(jit_syntax_level=ms.LAX)
    assert Status.read(status) == (0, 1, 0)


class TwoAlike(nn.Cell):
    """Gathers from two ranks that have the same."""

    def __init__(self, ranks):
        super().__init__()

    def construct(self, values):
        return ms.ops.stack([values, values])


class SumOfTwoAlike(nn.Cell):
    def construct(self, values):
        return 2 * values


@in_every_way
def test_two_ranks_with_the_same_batch_do_what_one_does(mode, way, monkeypatch):
    """Gradients travel in one array; a loss that is not finite leaves the request of the ranks readable."""
    alone = make_step("Adam", clip_grad=0.5)
    monkeypatch.setattr("models.training_step.current_world_size", lambda: 2)
    monkeypatch.setattr("models.training_step.Gather", TwoAlike)
    monkeypatch.setattr("models.distributed.ops.AllReduce", SumOfTwoAlike)
    step = make_step("Adam", clip_grad=0.5)
    reported = ReportedStep(step)
    _, status = reported(ms.Tensor([15.0], ms.float32), *spoilt(batch()))
    assert Status.read(status) == (1, 1, 15)
    _, status = reported(REQUEST, *batch())
    assert Status.read(status) == (1, 1, 0)
    alone(*batch())
    np.testing.assert_allclose(weights(step), weights(alone), rtol=1e-6)


def test_long_gradients_are_shortened_and_short_ones_left(mode):
    free = moved(make_step(), batch())
    length = np.linalg.norm(free) / RATE
    np.testing.assert_allclose(moved(make_step(clip_grad=2 * length), batch()), free, rtol=1e-6)
    clipped = moved(make_step(clip_grad=length / 4), batch())
    np.testing.assert_allclose(clipped, free / 4, rtol=1e-5)


def test_the_norm_of_all_gradients_is_exact_to_float32(mode):
    """Of those of large convolutions too, for which one running sum is wrong by half a per cent."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((1024, 512, 3, 3), (3, 5), (7,))]
    exact = sum((array.astype(np.float64) ** 2).sum() for array in arrays)
    squared_norm = SquaredNorm(make_step().update)
    assert float(squared_norm(*map(ms.Tensor, arrays)).asnumpy()) == pytest.approx(exact, rel=1e-6)


def test_loss_scaling_changes_no_update_and_halves_when_it_overflows(mode):
    step = make_step(loss_scaling=True)
    np.testing.assert_allclose(moved(step, batch()), moved(make_step(), batch()), rtol=1e-6)
    step(*spoilt(batch()))
    assert float(step.update.scale.asnumpy()) == FIRST_LOSS_SCALE / 2


def test_the_loss_scale_doubles_after_a_long_time_without_overflow(mode, monkeypatch):
    monkeypatch.setattr("models.training_step.GROWTH_STEPS", 2)
    step = make_step(loss_scaling=True)
    step(*batch())
    assert float(step.update.scale.asnumpy()) == FIRST_LOSS_SCALE
    step(*batch())
    assert float(step.update.scale.asnumpy()) == 2 * FIRST_LOSS_SCALE


def test_accumulation_is_the_large_batch_whatever_part_the_annotations_are_in(mode, parts=3):
    """Three of six samples are annotated: one of the first part, none of the second, all of the third."""
    whole, loss = make_step(), Loss(parts)
    step = TrainingStep(loss, nn.SGD(loss.trainable_params(), RATE))
    accumulated = AccumulatedStep(step, parts).set_train(True)
    for _ in range(2):  # the second shows that the sums were cleared
        expected = [float(value.asnumpy()) for value in whole(*batch())]
        outputs, _ = accumulated(REQUEST, *batch())
        np.testing.assert_allclose([float(value.asnumpy()) for value in outputs], expected, rtol=1e-5)
        np.testing.assert_allclose(weights(step), weights(whole), rtol=1e-5, atol=1e-7)


def test_an_accumulated_update_is_left_out_for_one_bad_sample(mode):
    loss = Loss(3)
    step = TrainingStep(loss, nn.SGD(loss.trainable_params(), RATE))
    before = weights(step)
    inputs = batch()
    inputs[0][5] = np.inf
    accumulated = AccumulatedStep(step, 3)
    accumulated(REQUEST, *inputs)
    np.testing.assert_array_equal(weights(step), before)
    accumulated(REQUEST, *batch())
    assert np.isfinite(weights(step)).all()
    assert int(step.update.skipped.asnumpy()) == 1


def test_shares_add_up_to_one_or_to_nothing():
    flags = ms.Tensor([1.0, 0, 1, 1]), ms.Tensor([0.0] * 4)
    parts = MicroBatches(("has_some", "has_none", "img"), 2)((*flags, ms.Tensor(np.zeros((4, 3)))))
    shares = np.concatenate([[column.asnumpy() for column in part[:2]] for part in parts], axis=1)
    np.testing.assert_allclose(shares, [[1 / 3, 0, 1 / 3, 1 / 3], [0, 0, 0, 0]], rtol=1e-6)
    assert [part[2].shape for part in parts] == [(2, 3), (2, 3)]


def test_compiling_gives_its_memory_back_once(mode, monkeypatch):
    calls = []
    monkeypatch.setattr("models.compiled_cell.return_freed_memory", lambda: calls.append(1))
    step = make_step()
    for _ in range(3):
        step(*batch())
    step(*batch(4))  # another shape is another graph
    assert len(calls) == (2 if mode == ms.GRAPH_MODE else 0)
