"""Make the .npz file of a split from its samples.

A sample (a photograph of UP-3D, a video of SURREAL) gives one or more rows. After every SAVE_EVERY samples their rows
are saved in a shard beside the .npz file, so an interrupted run continues there, and each save writes new rows only.
The .npz file is written once, when all samples are done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.preprocess.samples import Summary, run_samples
from utils.errors import UserError
from utils.files import make_folder, read_npz, write_npz

SAVE_EVERY = 500  # samples in a shard
DAMAGE_ADVICE = "Delete it and run the same command again."


@dataclass(frozen=True)
class Layout:
    """Columns of a data set's .npz file; the column `source` holds the name of each row's sample."""

    source: str
    columns: tuple[str, ...]


def make_table(npz_file: Path, layout: Layout, names: Sequence[str], job: Callable, newest_change: Callable,
               workers: int) -> Summary:  # fmt: skip
    """Write the rows of the samples `names` to npz_file, in their order.

    job: sample name -> dict of columns [n, ...]; picklable. newest_change: sample name -> time of the last change to
    its files. Rows that were written later are kept.
    """
    make_folder(npz_file.parent)  # an error here should come before hours of work
    summary = Summary(npz_file.stem)
    blocks = _kept_blocks(npz_file, layout, newest_change)
    shards = sorted(npz_file.parent.glob(f"{npz_file.stem}.partial_*.npz"))
    for shard in shards:
        blocks |= _kept_blocks(shard, layout, newest_change)
    blocks = {name: blocks[name] for name in names if name in blocks}
    summary.kept = len(blocks)

    missing = [name for name in names if name not in blocks]
    unsaved: list[dict] = []

    def save():
        shards.append(npz_file.with_name(f"{npz_file.stem}.partial_{len(shards):06d}.npz"))
        write_npz(shards[-1], **_joined(layout, unsaved))
        unsaved.clear()

    try:
        for position, block in run_samples(job, missing, missing, summary, workers):
            blocks[missing[position]] = block
            unsaved.append(block)
            if len(unsaved) == SAVE_EVERY:
                save()
    except BaseException:  # interrupted: the next run continues from here
        if unsaved:
            save()
        raise
    if not blocks:
        raise UserError(f"no sample for {npz_file} could be used; it was not written.")
    final = _joined(layout, [blocks[name] for name in names if name in blocks])
    if summary.done or not _holds(npz_file, layout, final[layout.source]):
        write_npz(npz_file, **final)
    for shard in shards:
        shard.unlink()
    return summary


def _joined(layout: Layout, blocks: list[dict]) -> dict[str, np.ndarray]:
    return {key: np.concatenate([block[key] for block in blocks]) for key in layout.columns}


def _kept_blocks(path: Path, layout: Layout, newest_change: Callable) -> dict[str, dict]:
    """Rows of an earlier run by sample name, except those whose sample has changed since."""
    if not path.is_file():
        return {}
    table, written = read_npz(path, DAMAGE_ADVICE), path.stat().st_mtime
    lengths = {table[name].shape[:1] for name in layout.columns if name in table}
    if not set(layout.columns) <= set(table) or len(lengths) != 1 or lengths == {()}:
        return {}  # written by an older version, or by another program
    sources = table[layout.source]
    bounds = [*np.flatnonzero(np.append(True, sources[1:] != sources[:-1])).tolist(), len(sources)]
    blocks = {}
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        name = str(sources[start])
        if newest_change(name) <= written:
            blocks[name] = {key: table[key][start:stop] for key in layout.columns}
    return blocks


def _holds(path: Path, layout: Layout, sources: np.ndarray) -> bool:
    return path.is_file() and np.array_equal(read_npz(path, DAMAGE_ADVICE)[layout.source], sources)
