"""The network waits neither for images nor for the errors of earlier batches, and what waits is bounded."""

import threading
import time

import numpy as np
import pytest

from evaluation import measure
from evaluation.measure import Speed
from utils.errors import UserError

BATCHES = 8


def test_measuring_takes_place_while_the_network_works():
    speed = Speed()

    def network(batch: int) -> tuple:
        time.sleep(0.05)
        return (batch,)

    def measuring(batch: int) -> dict:
        time.sleep(0.04)
        return {"number": batch, "thread": threading.current_thread().name}

    found = measure._run(range(BATCHES), network, measuring, speed)
    assert [each["number"] for each in found] == list(range(BATCHES))
    assert threading.current_thread().name not in {each["thread"] for each in found}
    assert speed.seconds < BATCHES * 0.09 - 0.1  # one after the other takes 0.72 s
    assert speed.measuring_wait < 0.2 * speed.seconds and speed.data_wait < 0.05 * speed.seconds


def test_waiting_for_images_and_for_errors_is_counted_apart():
    speed, batches = Speed(), (time.sleep(0.03) or number for number in range(BATCHES))
    measure._run(batches, lambda batch: (batch,), lambda batch: {}, speed)
    assert 0.8 * speed.seconds < speed.data_wait <= speed.seconds and speed.measuring_wait < 0.1 * speed.seconds
    slow = Speed()
    measure._run(range(BATCHES), lambda batch: (batch,), lambda batch: time.sleep(0.03) or {}, slow)
    assert slow.measuring_wait > 0.8 * slow.seconds and slow.data_wait < 0.1 * slow.seconds


def test_few_batches_wait_to_be_measured():
    given, measured, most = [0], [0], [0]

    def network(batch: int) -> tuple:
        given[0] += 1
        most[0] = max(most[0], given[0] - measured[0])
        return (batch,)

    def measuring(batch: int) -> dict:
        time.sleep(0.005)
        measured[0] += 1
        return {}

    measure._run(range(40), network, measuring, Speed())
    assert given == measured == [40] and most[0] <= measure.MEASURED_LATER + 1


def test_an_error_while_measuring_ends_the_evaluation():
    def measuring(batch: int) -> dict:
        if batch == 1:
            raise UserError("a picture is missing")
        return {}

    seen = []
    with pytest.raises(UserError, match="a picture is missing"):
        measure._run(range(1000), lambda batch: (seen.append(batch) or batch,), measuring, Speed())
    assert len(seen) < 1000


def test_batches_come_together_and_sums_are_added():
    batches = [
        {"a": np.array([1.0, 2.0]), measure.VERTICES: np.array([1.0, 5.0])},
        {"a": np.array([3.0]), measure.VERTICES: np.array([0.5, 1.0])},
    ]
    found = measure._together(batches)
    assert found["a"].tolist() == [1, 2, 3] and found[measure.VERTICES].tolist() == [1.5, 6]
