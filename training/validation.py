"""Losses and errors on the held-out part of the training list, in whole batches, over all ranks."""

import numpy as np

from datasets.loader import create_loader
from datasets.replacement import REPLACED, Replacing
from models.accumulation import MicroBatches
from training.bad_samples import BadSamples
from training.feed import BatchFeed
from training.ranks import Ranks
from utils.body_model import load_joint_regressors
from utils.metrics import pose_errors

ERRORS = ("shape_error", "mpjpe", "pa_mpjpe")  # of stage end, mm


class Validation:
    """Calling it gives name -> value: the losses, and in stage end the errors of the mesh in mm.

    The loss cell is in evaluation mode meanwhile; the caller sets it back to training.
    """

    def __init__(self, dataset: Replacing, loss_cell, feed: BatchFeed, options, ranks: Ranks, bad_samples: BadSamples):
        self.dataset, self.loss_cell, self.feed, self.options, self.ranks = dataset, loss_cell, feed, options, ranks
        self.bad_samples = bad_samples
        self.parts = MicroBatches(loss_cell.input_names, options.accumulate)
        self.has_mesh = "gt_vertices" in loss_cell.input_names
        if self.has_mesh:
            self.lsp_rows = load_joint_regressors().lsp_rows

    def __call__(self) -> dict:
        options = self.options
        self.loss_cell.set_train(False)
        loader = create_loader(
            self.dataset,
            (*self.feed.columns, REPLACED),
            options.batch_size * options.accumulate,
            shuffle=False,
            drop_last=True,
            num_workers=options.num_workers,
            rank=self.ranks.rank,
            world_size=self.ranks.size,
            seed=options.seed,
        )
        losses = np.zeros(1 + len(self.loss_cell.loss_names))
        errors, meshes = np.zeros(len(ERRORS)), 0
        for batch in loader:
            self.bad_samples.check(batch[REPLACED])
            for inputs in self.parts(self.feed(batch)):
                losses += [float(value.asnumpy()) for value in self.loss_cell(*inputs)]
                if self.has_mesh:
                    found = self._errors(dict(zip(self.loss_cell.input_names, inputs, strict=True)))
                    errors += found.sum(1)
                    meshes += found.shape[1]
        self.bad_samples.settle()
        means = self.ranks.sum(losses / len(loader)) / self.ranks.size
        values = dict(zip(("total", *self.loss_cell.loss_names), means.tolist(), strict=True))
        *sums, count = self.ranks.sum([*errors, meshes]).tolist()
        if count:
            values |= {name: value / count for name, value in zip(ERRORS, sums, strict=True)}
        return values

    def _errors(self, inputs: dict) -> np.ndarray:
        """[3, n]: ERRORS of the n samples of a batch that have a mesh."""
        _, location_map, _ = self.loss_cell.DMR(inputs["img"])
        chosen = inputs["has_smpl"].asnumpy() > 0
        predicted = self.loss_cell.sampler.resample(location_map).asnumpy()[chosen]
        true = inputs["gt_vertices"].asnumpy()[chosen]
        found = pose_errors(predicted, self.lsp_rows @ predicted, true, self.lsp_rows @ true)
        return np.stack([found[name] for name in ERRORS])
