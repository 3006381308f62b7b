"""Evaluation on several ranks: each measures its own batches, and the first collects the results.

A rank's batches hold the same images at the same places as those of one process (datasets.loader.rank_indices). So the
numbers are the same, except for the last digits of numpy's float64 products, which depend on the number of threads.
"""

import secrets
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import ops

from datasets.loader import rank_indices
from utils.device import Device
from utils.files import write_npz

TOTAL = "total_"  # begins the names of results that are sums over the images of a rank, not columns
LARGEST_NUMBER = 2**24  # float32 holds the integers below exactly


def gather(results: dict, device: Device, folder: Path, length: int, batch_size: int) -> dict | None:
    """The results of all images in their order, on rank 0; None on the others.

    results: columns [n, ...] of this rank's images, and sums, whose names begin with TOTAL. The ranks exchange files in
    `folder`, which all of them must see, and remove the files. The file names contain a random number, so that
    evaluations do not mix.
    """
    if device.world_size == 1:
        return results
    number = _sum(secrets.randbelow(LARGEST_NUMBER) if device.rank == 0 else 0)
    write_npz(shard_path(folder, number, device.rank), **results)
    _sum(0)  # wait until all have written
    try:
        return merge(folder, number, device.world_size, length, batch_size) if device.rank == 0 else None
    finally:
        _sum(0)  # wait until the first has read
        shard_path(folder, number, device.rank).unlink()


def shard_path(folder: Path, number: int, rank: int) -> Path:
    """The file in which a rank passes its results to the first."""
    return Path(folder) / f"shard_{number:08d}_{rank}.npz"


def _sum(number: int) -> int:
    """The sum over ranks; they wait for each other."""
    return int(ops.AllReduce()(ms.Tensor([number], ms.float32)).asnumpy()[0])


def merge(folder: Path, number: int, world_size: int, length: int, batch_size: int) -> dict:
    """The columns of the files of all ranks, [length, ...], in the order of the data set, and the sums of all."""
    merged: dict = {}
    for rank in range(world_size):
        indices = rank_indices(np.arange(length), batch_size, rank, world_size, drop_last=False)
        with np.load(shard_path(folder, number, rank), allow_pickle=False) as shard:
            for name in shard.files:
                values = shard[name]
                if name.startswith(TOTAL):
                    merged[name] = merged.get(name, 0) + values
                    continue
                if name not in merged:
                    merged[name] = np.zeros((length, *values.shape[1:]), values.dtype)
                if values.dtype.kind == "U" and values.dtype > merged[name].dtype:
                    merged[name] = merged[name].astype(values.dtype)
                merged[name][indices] = values
    return merged
