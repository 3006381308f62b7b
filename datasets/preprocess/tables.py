"""Make the .npz file of a split from its samples.

A sample (a photograph of UP-3D, a video of SURREAL) gives one or more rows. After every SAVE_EVERY samples their rows
are saved in a shard beside the .npz file, so an interrupted run continues there, and each save writes new rows only.
The .npz file is written once, when all samples are done. Rows are not kept in memory: those of files are mapped, and
the .npz file is written part by part.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.preprocess.samples import Summary, run_samples
from utils.array_files.arrays import release
from utils.errors import UserError
from utils.files import Blocks, make_folder, map_npz, write_npz

SAVE_EVERY = 500  # samples in a shard
DAMAGE_ADVICE = "Delete it and run the same command again."


@dataclass(frozen=True)
class Layout:
    """Columns of a data set's .npz file; the column `source` holds the name of each row's sample."""

    source: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of one sample: numbers start to stop of the mapped columns of a file."""

    table: dict[str, np.ndarray]
    start: int
    stop: int


def make_table(npz_file: Path, layout: Layout, names: Sequence[str], job: Callable, newest_change: Callable,
               workers: int, is_current: Callable | None = None) -> Summary:  # fmt: skip
    """Write the rows of the samples `names` to npz_file, in their order.

    job: sample name -> dict of columns [n, ...]; picklable. newest_change: sample name -> time of the last change to
    its files. Rows that were written later are kept, if is_current, rows of a sample -> bool, agrees.
    """
    make_folder(npz_file.parent)  # an error here should come before hours of work
    summary = Summary(npz_file.stem)
    shards = sorted(npz_file.parent.glob(f"{npz_file.stem}.partial_*.npz"))
    kept = _kept_rows(npz_file, layout, newest_change, is_current)
    table = next((sample.table for sample in kept.values()), None)  # of npz_file
    for path in shards:
        kept |= _kept_rows(path, layout, newest_change, is_current)
    missing = [name for name in names if name not in kept]
    summary.kept = len(names) - len(missing)

    new_shards = _make_shards(npz_file, layout, missing, job, summary, workers, len(shards))
    for path in new_shards:
        kept |= _kept_rows(path, layout, lambda _: 0.0)
    rows = [kept[name] for name in names if name in kept]
    if not rows:
        raise UserError(f"no sample for {npz_file} could be used; it was not written.")
    if not _are_whole(rows, layout, table):
        write_npz(npz_file, **{key: _joined(key, rows) for key in layout.columns})
    for path in (*shards, *new_shards):
        path.unlink()
    return summary


def _make_shards(
    npz_file: Path, layout: Layout, names: list[str], job: Callable, summary: Summary, workers: int, number: int
) -> list[Path]:
    """Run the job on the samples `names`; save the rows in shards, the first of which has `number`."""
    shards: list[Path] = []
    unsaved: list[dict] = []

    def save():
        shards.append(npz_file.with_name(f"{npz_file.stem}.partial_{number + len(shards):06d}.npz"))
        write_npz(shards[-1], **{key: np.concatenate([block[key] for block in unsaved]) for key in layout.columns})
        unsaved.clear()

    try:
        for _, block in run_samples(job, names, names, summary, workers):
            unsaved.append(block)
            if len(unsaved) == SAVE_EVERY:
                save()
    finally:  # also when interrupted: the next run continues from here
        if unsaved:
            save()
    return shards


def _kept_rows(
    path: Path, layout: Layout, newest_change: Callable, is_current: Callable | None = None
) -> dict[str, Rows]:
    """Rows of an earlier run by sample name, except those whose sample has changed since."""
    if not path.is_file():
        return {}
    table, written = map_npz(path, DAMAGE_ADVICE), path.stat().st_mtime
    lengths = {table[name].shape[:1] for name in layout.columns if name in table}
    if not set(layout.columns) <= set(table) or len(lengths) != 1 or lengths == {()}:
        return {}  # written by an older version, or by another program
    sources = table[layout.source]
    bounds = [*np.flatnonzero(np.append(True, sources[1:] != sources[:-1])).tolist(), len(sources)]
    rows = {}
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        name = str(sources[start])
        is_old = newest_change(name) > written
        if not is_old and (not is_current or is_current({key: table[key][start:stop] for key in layout.columns})):
            rows[name] = Rows(table, start, stop)
    return rows


def _are_whole(rows: list[Rows], layout: Layout, table: dict | None) -> bool:
    """Whether these rows are all those of a table, in its order."""
    stops = [0, *(sample.stop for sample in rows)]
    in_order = all(sample.table is table and sample.start == stop for sample, stop in zip(rows, stops, strict=False))
    return table is not None and in_order and stops[-1] == len(table[layout.source])


def _joined(key: str, rows: list[Rows]) -> Blocks:
    """A column of the rows of all samples."""
    tables = {id(sample.table): sample.table[key] for sample in rows}.values()
    shape = (sum(sample.stop - sample.start for sample in rows), *rows[0].table[key].shape[1:])
    return Blocks(shape, np.result_type(*tables), _parts(key, rows))


def _parts(key: str, rows: list[Rows]) -> Iterator[np.ndarray]:
    for number, sample in enumerate(rows):
        yield sample.table[key][sample.start : sample.stop]
        if number % SAVE_EVERY == 0:
            release([sample.table[key]])
