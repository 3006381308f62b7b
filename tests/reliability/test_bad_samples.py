"""A sample that cannot be read is named, counted and replaced by another; too many of them end the run."""

import os
import signal
import threading
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import utils.environment  # noqa: F401, I001  before MindSpore
from datasets.loader import _Watch, _WorkerDied, create_loader
from datasets.replacement import MAX_TRIES, REPLACED, Replacing
from tests.helpers.thread_ranks import on_ranks
from training.guards import BadSamples
from training.ranks import Ranks
from utils.errors import UserError

SIZE, BATCH = 300, 4


class Numbers:
    """Items {"value": index}, some of which cannot be read."""

    def __init__(self, bad=()):
        self.bad = set(bad)

    def __len__(self) -> int:
        return SIZE

    def item(self, index: int, epoch: int, columns) -> dict:
        if index in self.bad:
            raise UserError(f"{index}.png cannot be decoded as an image.")
        return {"value": np.full((2,), index, np.float32)}


def batches(bad=(), workers: int = 0, start: int = 0, each=lambda number: None) -> list[tuple]:
    loader = create_loader(
        Replacing(Numbers(bad), seed=1), ("value", REPLACED), BATCH, epoch=2, start_batch=start, shuffle=True,
        drop_last=True, num_workers=workers, seed=1,
    )  # fmt: skip
    found = []
    for number, batch in enumerate(loader):
        each(number)
        found.append((batch["value"].asnumpy()[:, 0].tolist(), batch[REPLACED].tolist()))
    return found


BAD = (7, 123, 222)


def test_another_sample_takes_the_place_of_a_bad_one_and_all_others_stay():
    whole, found = batches(), batches(BAD)
    changed = [
        (old, new, text)
        for (olds, _), (news, texts) in zip(whole, found, strict=True)
        for old, new, text in zip(olds, news, texts, strict=True)
        if old != new or text
    ]
    assert sorted(old for old, _, _ in changed) == list(BAD)
    for old, new, text in changed:
        assert new not in BAD
        assert text == f"{old:.0f}.png cannot be decoded as an image."


def test_the_replacement_is_the_same_for_any_number_of_workers_and_after_a_restart():
    assert batches(BAD, workers=2) == batches(BAD)
    assert batches(BAD, start=30) == batches(BAD)[30:]


def test_a_bad_replacement_is_replaced_too_but_not_for_ever():
    few = Replacing(Numbers(set(range(SIZE)) - {5}), seed=0)
    with pytest.raises(UserError, match=rf"^{MAX_TRIES} samples drawn one after another are bad, the first: 3.png"):
        few.item(3, 0, ("value",))
    half = Replacing(Numbers(range(SIZE // 2)), seed=0)
    texts = [half.item(index, 0, ("value",))[REPLACED] for index in range(20)]
    assert max(len(text.splitlines()) for text in texts) > 1


def test_each_bad_sample_is_named_once_and_more_than_one_in_a_hundred_end_the_run():
    said = []
    count = BadSamples(SIZE, Ranks(), said.append)
    for _ in range(2):  # epochs
        for text in ("a.png", "", "b.png\nc.png"):
            count.check(np.array(["", text]))
    assert said == [
        f"replaced by another sample ({n} of 300 so far): {name}"
        for n, name in enumerate(("a.png", "b.png", "c.png"), 1)
    ]
    with pytest.raises(UserError, match=r"^4 of 300 samples cannot be read, more than 1%, the last: d.png"):
        count.check(np.array(["d.png"]))


def test_the_limit_holds_for_all_ranks_together_and_a_sample_that_two_ranks_read_counts_once():
    """Three of 300 samples may be bad. Each rank reads two, one of which is the same; then rank 1 reads a fourth."""
    told = {0: ("a.png\nb.png", ""), 1: ("b.png\nc.png", "d.png")}

    def work(ranks):
        count = BadSamples(SIZE, ranks, lambda line: None)
        outcomes = []
        for text in told[ranks.rank]:
            count.check(np.array([text]))
            outcomes.append(bool(count.news))
            count.settle()
        return outcomes

    errors = on_ranks(2, work)
    assert [str(error).partition(", the last")[0] for error in errors] == [
        "4 of 300 samples cannot be read, more than 1%"
    ] * 2
    told[1] = ("b.png\nc.png", "")
    assert on_ranks(2, work) == [[True, False], [True, False]]


# ---- workers ----


def kill_a_worker() -> None:
    workers = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    min(workers, key=lambda child: child.pid).send_signal(signal.SIGKILL)


def test_a_killed_worker_is_replaced_and_no_batch_is_lost(capfd):
    found = batches(BAD, workers=2, each=lambda number: kill_a_worker() if number == 3 else None)
    assert found == batches(BAD)
    assert capfd.readouterr().err.count("died (exit code -9), perhaps for lack of memory; new ones go on after") == 1


def test_nothing_waits_for_a_dead_worker_even_before_the_watching_thread_sees_it():
    worker = SimpleNamespace(pid=1, exitcode=-9)
    sample_fn = SimpleNamespace(workers=[worker], eof=threading.Event())
    with pytest.raises(_WorkerDied), _Watch(sample_fn) as watch:
        watch.next(iter([{}]))
    assert sample_fn.eof.is_set()


def test_workers_that_die_again_and_again_end_the_run(monkeypatch):
    monkeypatch.setattr("datasets.loader.MAX_RESTARTS", 1)
    with pytest.raises(UserError, match=r"loader workers died 2 times.*fewer --num_workers"):
        batches(workers=2, each=lambda number: kill_a_worker() if number % 5 == 0 else None)


class Names:
    """Items {"imgname": name} of one name that is not UTF-8."""

    def __len__(self) -> int:
        return 8

    def item(self, index: int, epoch: int, columns) -> dict:
        return {"imgname": f"{index} ☕ {os.fsdecode(b'caf' + bytes([0xE9]))}"}


@pytest.mark.parametrize("workers", [0, 2])
def test_names_in_any_encoding_come_through_threads_and_processes(workers):
    loader = create_loader(Names(), ("imgname",), 4, shuffle=False, drop_last=True, num_workers=workers)
    names = [name for batch in loader for name in batch["imgname"].tolist()]
    assert names == [f"{index} ☕ caf\udce9" for index in range(8)]
