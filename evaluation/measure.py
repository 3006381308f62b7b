"""Run a network over the test images of a data set and measure its predictions, without one waiting for the other.

Workers load the next batches and threads measure the last ones while the network works on a batch.
"""

import multiprocessing
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from mindspore import nn
from tqdm import tqdm

from datasets.base_dataset import BaseDataset
from datasets.loader import create_loader
from evaluation import lsp_masks
from evaluation.errors import ErrorMeter
from evaluation.protocols import MASKS, MESH, Protocol
from evaluation.shards import TOTAL, gather
from models.ground_truth import GroundTruth
from models.inference import MeshPredictor, run_in_batches
from utils import config
from utils.body_model import load_body_model
from utils.device import Device
from utils.errors import UserError, warn

TEXT = ("imgname", "maskname", "partname")
THREADS = max(1, min(4, multiprocessing.cpu_count() // 2))  # that measure; the network on a CPU needs the cores too
MEASURED_LATER = THREADS + 2  # batches that may wait to be measured; more would only take memory
VERTICES = f"{TOTAL}vertex_errors"


@dataclass
class Speed:
    """Seconds of an evaluation, and how many of them the network waited for images or for errors of earlier ones."""

    seconds: float = 0.0
    data_wait: float = 0.0
    measuring_wait: float = 0.0

    def describe(self, images: int) -> dict[str, float]:
        """What is stored: images per second of all ranks, and the shares of time that the first rank waited."""
        seconds = max(self.seconds, 1e-9)
        return {
            "images_per_second": images / seconds,
            "data_wait": self.data_wait / seconds,
            "measuring_wait": self.measuring_wait / seconds,
        }


@dataclass(frozen=True)
class Evaluation:
    """What one checkpoint does on the test images of one data set.

    results: columns by name, [N] or [N, K], and imgname. vertex_errors: [V], mean over images in mm, if there are true
    meshes.
    """

    checkpoint: Path
    dataset: str
    protocol: Protocol
    results: dict[str, np.ndarray]
    vertex_errors: np.ndarray | None = None
    speed: Speed = field(default_factory=Speed)

    def __len__(self) -> int:
        return len(self.results["imgname"])

    @cached_property
    def lsp(self) -> dict[str, float]:
        """Accuracy and F1 of silhouettes and parts by name; empty without annotations."""
        return lsp_masks.summarise(self.results)

    @property
    def without_truth(self) -> int:
        """The number of images that the protocol's main error leaves out, because their truth is missing."""
        main = self.results.get(self.protocol.main)
        return len(self) if main is None else int(np.isnan(main).sum())


def evaluate(options, device: Device, dataset: BaseDataset, predictor: MeshPredictor, meter: ErrorMeter, path: Path):
    """The Evaluation of a checkpoint `path`, whose network is `predictor`, on rank 0; None on the others."""
    batch_size = min(options.batch_size, len(dataset))
    if len(dataset) <= batch_size * (device.world_size - 1):
        raise UserError(
            f"{len(dataset)} test images in batches of {batch_size} are not enough for {device.world_size} ranks. "
            "Choose a smaller --batch_size."
        )
    measuring = _Measuring(dataset, meter)
    network = _Network(options, dataset, predictor, meter.protocol, batch_size)
    loader = create_loader(
        dataset, measuring.columns, batch_size, shuffle=False, drop_last=False, num_workers=options.num_workers,
        rank=device.rank, world_size=device.world_size,
    )  # fmt: skip
    speed = Speed()
    batches = _run(tqdm(loader, desc="eval", unit="batch", disable=device.rank > 0), network, measuring, speed)
    gathered = gather(_together(batches), device, Path(options.save_root), len(dataset), batch_size)
    if gathered is None:
        return None
    total = gathered.pop(VERTICES, None)
    known = np.isfinite(gathered[meter.protocol.main]).sum() if total is not None else 0
    vertex_errors = total / known if known else None
    return Evaluation(path, options.dataset, meter.protocol, gathered, vertex_errors, speed)


def _together(batches: list[dict]) -> dict[str, np.ndarray]:
    """The columns of all batches one behind the other, and the sums of theirs."""
    columns = {name: [batch[name] for batch in batches] for name in batches[0]}
    return {
        name: np.sum(parts, axis=0) if name.startswith(TOTAL) else np.concatenate(parts)
        for name, parts in columns.items()
    }


def _run(loader: Iterable[dict], network, measuring, speed: Speed) -> list[dict]:
    """What `measuring` gives for every batch, in order; `speed` gets the seconds."""
    start = time.perf_counter()
    results: list[dict] = []
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for batch in _timed(loader, speed):
                waiting.append(pool.submit(measuring, *network(batch)))
                while len(waiting) > MEASURED_LATER or (waiting and waiting[0].done()):
                    results.append(_result(waiting.popleft(), speed))
            results += [_result(future, speed) for future in waiting]
        finally:
            for future in waiting:
                future.cancel()
    speed.seconds = time.perf_counter() - start
    return results


def _timed(loader: Iterable[dict], speed: Speed) -> Iterator[dict]:
    """The batches; the seconds that each is waited for are added to speed.data_wait."""
    batches = iter(loader)
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        speed.data_wait += time.perf_counter() - start
        if batch is None:
            return
        yield batch


def _result(future: Future, speed: Speed) -> dict:
    start = time.perf_counter()
    result = future.result()
    speed.measuring_wait += time.perf_counter() - start
    return result


class _Network:
    """Batch -> (columns without images, dp_out, vertices, cameras, true vertices or None), as arrays."""

    def __init__(self, options, dataset: BaseDataset, predictor: MeshPredictor, protocol: Protocol, batch_size: int):
        self.predictor, self.batch_size = predictor, batch_size
        self.ground_truth: nn.Cell | None = None
        if protocol.truth == MESH:
            self.ground_truth = GroundTruth(options.uv_res, options.uv_type, dataset.mesh_genders())

    def __call__(self, batch: dict) -> tuple:
        arrays = {name: values if name in TEXT else values.asnumpy() for name, values in batch.items()}
        outputs = run_in_batches(self.predictor, self.batch_size, arrays.pop("img"))
        true = None
        if self.ground_truth is not None:
            columns = [arrays[name] for name in ("pose", "betas", "gender")]
            true, _ = run_in_batches(self.ground_truth, self.batch_size, *columns)
        return arrays, *outputs, true


class _Measuring:
    """What _Network gives -> results of a batch: columns [B, ...], and sums, whose names begin with TOTAL."""

    def __init__(self, dataset: BaseDataset, meter: ErrorMeter):
        self.meter, self.masks = meter, None
        if lsp_masks.has_annotations(dataset.table):
            folders = lsp_masks.annotation_folders(dataset.dataset, dataset.root)
            self.masks = lsp_masks.MaskMeter(folders, load_body_model(config.SMPL_FILE).faces)
        elif meter.protocol.truth == MASKS:
            warn(f"{dataset.npz_file} has no maskname and no partname, which are the truth of {dataset.dataset}.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a batch that are needed, without repeats."""
        masks = lsp_masks.COLUMNS if self.masks else ()
        return tuple(dict.fromkeys(("img", "imgname", *self.meter.columns, *masks)))

    def __call__(self, batch: dict, dp_out, vertices, cameras, true_vertices) -> dict[str, np.ndarray]:
        errors = self.meter(batch, dp_out, vertices, cameras, true_vertices)
        if "vertex_errors" in errors:  # a number per vertex and image does not fit into memory for large sets
            errors[VERTICES] = np.nansum(errors.pop("vertex_errors"), axis=0)
        if self.masks:
            errors |= self.masks(batch, vertices, cameras)
        return errors | {"imgname": batch["imgname"]}
