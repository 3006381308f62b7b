"""Batches of a data set as MindSpore tensors; the number of workers and ranks does not change them.

The order of an epoch is one permutation drawn from (seed, epoch). It is cut into global batches of world_size *
batch_size samples, and each rank takes its part of every global batch. So n ranks with batch b together see at each
step what one process with batch n * b sees.
"""

import gc
import multiprocessing
import re
import shutil
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import mindspore.dataset as ms_dataset
import numpy as np
from mindspore import Tensor
from tqdm import tqdm

from utils.errors import UserError

PREFETCH = 4  # batches made ahead of the training step
MAX_WORKERS = multiprocessing.cpu_count()  # MindSpore refuses more
SHARED_MEMORY = "/dev/shm"
SHARED_MEMORY_NEEDED = 512 * 2**20  # bytes that workers may have in flight; containers often grant 64 MiB
MAX_RESTARTS = 3  # of the workers in one epoch
WATCH_INTERVAL = 0.5  # seconds between looks at the workers
USER_ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?UserError: (.+)$", re.MULTILINE)


def epoch_order(length: int, seed: int, epoch: int, shuffle: bool) -> np.ndarray:
    """Sample indices [length] in the order of an epoch."""
    # items draw from (seed, epoch, index); `length` is no item's index, so no item has this stream
    return np.random.default_rng([seed, epoch, length]).permutation(length) if shuffle else np.arange(length)


def rank_indices(order: np.ndarray, batch_size: int, rank: int, world_size: int, drop_last: bool) -> np.ndarray:
    """The samples [n] of one rank, batch after batch: its part of each global batch of the epoch's order [N]."""
    block = batch_size * world_size
    if drop_last:
        order = order[: len(order) // block * block]
    starts = range(rank * batch_size, len(order), block)
    parts = [order[start : start + batch_size] for start in starts]
    return np.concatenate(parts) if parts else order[:0]


class _Source:
    """Random access for workers: position -> the columns of that sample as a tuple."""

    def __init__(self, dataset, indices: np.ndarray, epoch: int, columns: Sequence[str]):
        self.dataset, self.indices, self.epoch, self.columns = dataset, indices, epoch, tuple(columns)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> tuple:
        item = self.dataset.item(int(self.indices[position]), self.epoch, self.columns)
        return tuple(_carried(item[name]) for name in self.columns)

    def after(self, count: int) -> "_Source":
        """The samples after the first `count`."""
        return _Source(self.dataset, self.indices[count:], self.epoch, self.columns)


class Loader:
    """Iterable over the batches of one epoch: dicts of Tensors [B, ...], text columns as numpy arrays."""

    def __init__(self, source: _Source, batch_size: int, num_workers: int):
        self.source, self.batch_size, self.num_workers = source, batch_size, num_workers

    def __len__(self) -> int:
        return -(-len(self.source) // self.batch_size)

    def __iter__(self) -> Iterator[dict]:
        if not len(self.source):
            return
        # OpenCV's thread pool does not survive a fork, and the workers already run in parallel
        cv2.setNumThreads(0)
        workers = max(1, min(self.num_workers, MAX_WORKERS, len(self.source)))
        make = self._in_processes if workers > 1 and _shared_memory_suffices() else self._in_threads
        for batch in make(workers):
            yield {name: _as_tensor(batch[name]) for name in self.source.columns}

    def _in_threads(self, workers: int) -> Iterator[dict]:
        """Batches as numpy arrays; threads of this process make whole batches, a few ahead."""
        starts = range(0, len(self.source), self.batch_size)
        with ThreadPoolExecutor(workers) as pool:
            ahead: deque[Future] = deque()
            try:
                for start in starts:
                    ahead.append(pool.submit(self._make_batch, start))
                    if len(ahead) > PREFETCH:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:  # the caller may stop in the middle of an epoch
                for future in ahead:
                    future.cancel()

    def _make_batch(self, start: int) -> dict:
        stop = min(start + self.batch_size, len(self.source))
        columns = zip(*(self.source[position] for position in range(start, stop)), strict=True)
        return {name: np.stack(values) for name, values in zip(self.source.columns, columns, strict=True)}

    def _in_processes(self, workers: int) -> Iterator[dict]:
        """Batches as numpy arrays whose items processes make; if one dies, new ones start, at most MAX_RESTARTS times.

        An item does not depend on the process that makes it, so no batch changes.
        """
        done = 0
        for _ in range(MAX_RESTARTS + 1):
            if done == len(self):  # the dead process had no work left
                return
            try:
                for batch in self._forked(self.source.after(done * self.batch_size), workers):
                    done += 1
                    yield batch
                return
            except _WorkerDied as death:
                tqdm.write(f"{death}, perhaps for lack of memory; new ones go on after batch {done}", file=sys.stderr)
        raise UserError(
            f"loader workers died {MAX_RESTARTS + 1} times in one epoch, perhaps for lack of memory. "
            "Choose fewer --num_workers."
        )

    def _forked(self, source: _Source, workers: int) -> Iterator[dict]:
        """Batches as numpy arrays whose items processes make that MindSpore forks."""
        ms_dataset.config.set_prefetch_size(PREFETCH)
        # MindSpore's watchdog ends this process by SIGTERM, and waits for ever if SIGTERM has a handler
        ms_dataset.config.set_enable_watchdog(False)
        pipeline = ms_dataset.GeneratorDataset(
            source,
            list(source.columns),
            shuffle=False,
            num_parallel_workers=workers,
            python_multiprocessing=True,
        ).batch(self.batch_size)
        try:
            yield from _run(pipeline)
        except RuntimeError as error:
            raise_user_error(error)
            raise


def create_loader(
    dataset,
    columns: Sequence[str],
    batch_size: int,
    *,
    epoch: int = 0,
    start_batch: int = 0,
    shuffle: bool,
    drop_last: bool,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    seed: int = 0,
) -> Loader:
    """The batches of `epoch` from batch `start_batch` on (to resume within an epoch).

    dataset: has len() and item(index, epoch, columns), as BaseDataset has. num_workers: with 0 or 1 a thread of this
    process makes the items; with more, that many processes do, at most one per core.
    """
    order = epoch_order(len(dataset), seed, epoch, shuffle)
    indices = rank_indices(order, batch_size, rank, world_size, drop_last)
    if drop_last and not len(indices):
        raise UserError(
            f"the data set has {len(dataset)} samples, fewer than one batch of {batch_size} x {world_size}. "
            "Choose a smaller --batch_size."
        )
    return Loader(_Source(dataset, indices[start_batch * batch_size :], epoch, columns), batch_size, num_workers)


def _run(pipeline) -> Iterator[dict]:
    """Batches of the pipeline as numpy arrays; its workers end when the iteration does.

    Workers are forked when the first batch is asked for. A worker that garbage-collects an iterator
    which this process dropped earlier would join threads that do not exist in it, and crash: so all
    objects are frozen, that is kept from collection, over the fork.
    """
    iterator = pipeline.create_dict_iterator(num_epochs=1, output_numpy=True)
    try:
        with _Watch(iterator.dataset.children[0].sample_fn) as watch:
            gc.freeze()
            try:
                batch = watch.next(iterator)
            finally:
                gc.unfreeze()
            while batch is not None:
                yield batch
                batch = watch.next(iterator)
    finally:
        iterator.stop()


class _WorkerDied(Exception):
    """A worker process ended before its work was done."""


class _Watch:
    """Watch the processes of a pipeline from a thread, because MindSpore does not notice that one was killed.

    sample_fn: MindSpore's handle on them. It waits for ever for the items of a dead worker, unless its event `eof` is
    set.
    """

    def __init__(self, sample_fn):
        self.sample_fn = sample_fn
        self.ended = threading.Event()
        self.death: _WorkerDied | None = None

    def __enter__(self):
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self._release()  # in any case: the iterator is stopped next, and would wait for the items of a dead worker

    def _release(self) -> None:
        """Stop MindSpore from waiting for workers."""
        eof = getattr(self.sample_fn, "eof", None)
        if eof is not None:  # it is None before the workers start and after they end
            eof.set()

    def _look(self) -> None:
        while not self.ended.wait(WATCH_INTERVAL):
            self._look_once()
            if self.death is not None:
                self._release()
                return

    def _look_once(self) -> None:
        for worker in self.sample_fn.workers or ():
            if worker.exitcode:  # workers that finished the epoch end with 0
                self.death = _WorkerDied(f"loader worker {worker.pid} died (exit code {worker.exitcode})")

    def next(self, iterator) -> dict | None:
        """The next batch, None at the end; _WorkerDied if a worker died."""
        try:
            batch = next(iterator, None)
        except RuntimeError as error:
            self._look_once()  # the items may fail before the thread sees that their worker is dead
            if self.death is None:
                raise
            raise self.death from error
        self._look_once()
        if self.death is not None:  # the batch may lack the items of the dead worker
            raise self.death
        return batch


def _carried(value) -> np.ndarray:
    """A value of an item as an array; text has one character for each byte of its UTF-8.

    This is because MindSpore's pipelines refuse file names that are not UTF-8.
    """
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass").decode("latin-1")
    return np.asarray(value)


def _as_tensor(values: np.ndarray) -> Tensor | np.ndarray:
    if values.dtype.kind == "U":
        return np.array([text.encode("latin-1").decode("utf-8", "surrogatepass") for text in values.tolist()])
    return Tensor.from_numpy(values)  # without a copy: the array is this batch's own


def _shared_memory_suffices() -> bool:
    """Whether shared memory is large enough for processes to hand items over; if not, threads make the items."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free >= SHARED_MEMORY_NEEDED
    except OSError:
        return False


def raise_user_error(error: RuntimeError) -> None:
    """Raise the UserError that lies inside MindSpore's report of a failed worker, if there is one."""
    lines = USER_ERROR_LINE.findall(str(error))
    if lines:
        raise UserError(lines[-1]) from error
