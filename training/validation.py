"""How well the networks do during training: losses, errors and pictures.

Losses and errors are computed on a held-out part of the training list (--val_share). The test list is not used.
"""

import numpy as np

from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from datasets.replacement import REPLACED, Replacing
from models.accumulation import MicroBatches
from models.inference import MeshPredictor
from training.feed import BatchFeed
from training.guards import BadSamples
from training.ranks import Ranks
from utils import config
from utils.body_model import load_body_model, load_joint_regressors
from utils.errors import UserError
from utils.metrics import pose_errors
from utils.pictures import denormalise, draw_mesh, iuv_colours, location_colours, tile

STREAM = 0x7A11  # of random numbers, apart from those of epochs and augmentation
ERRORS = ("shape_error", "mpjpe", "pa_mpjpe")  # of stage end, mm
MAX_ROWS = 4  # of a picture
COLOUR = (0.55, 0.70, 0.95)  # RGB of the mesh

# ---- the held-out part ----


class Subset:
    """The samples `indices` of a data set. Augmentation still draws from a sample's index in the whole data set."""

    def __init__(self, dataset, indices: np.ndarray):
        self.dataset, self.indices = dataset, indices

    def __len__(self) -> int:
        return len(self.indices)

    def item(self, index: int, epoch: int = 0, columns=None) -> dict:
        """The item of the data set at place `index` of the subset."""
        return self.dataset.item(int(self.indices[index]), epoch, columns)


def divide_training_data(dataset, options, batch: int) -> tuple[Replacing, Replacing | None]:
    """(the samples to train on, those held out with --val_share or None).

    batch: the samples of one step over all ranks. UserError when there are fewer than that to train on, and for
    --val_share with a mixture of data sets.
    """
    chosen, held_out = np.arange(len(dataset)), None
    if options.val_share:
        plain = open_dataset(options, "train", is_train=False)
        table = getattr(plain, "table", None)
        if table is None:
            raise UserError(f"--val_share needs a data set with one list of samples; {options.dataset} is a mixture.")
        # frames of one video look alike
        groups = table.get("videoname", chosen)
        chosen, others = split(groups, options.val_share, batch, options.seed)
        held_out = Replacing(Subset(plain, others), options.seed)
    if batch > len(chosen):
        raise UserError(
            f"the data set has {len(chosen)} training samples, fewer than one batch of {batch}. "
            "Choose a smaller --batch_size."
        )
    return Replacing(Subset(dataset, chosen), options.seed), held_out


def split(groups: np.ndarray, share: float, batch: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices to train on, indices held out), each in ascending order.

    groups: [N], one value per sample; samples with equal values, such as the frames of one video, stay together.
    The held-out part has at least `share` of the samples and at least `batch` of them. UserError when fewer
    than `batch` would be left to train on.
    """
    names, member = np.unique(groups, return_inverse=True)
    order = np.random.default_rng([seed, STREAM]).permutation(len(names))
    sizes = np.bincount(member)[order]
    wanted = max(batch, round(share * len(groups)))
    taken = order[: np.searchsorted(np.cumsum(sizes), wanted) + 1]
    held_out = np.isin(member, taken)
    if len(groups) - held_out.sum() < batch:
        raise UserError(
            f"--val_share {share:g} of {len(groups)} training samples: holding out {held_out.sum()} leaves fewer than "
            f"one batch of {batch} to train on. Choose a smaller --batch_size or --val_share 0."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


# ---- losses and errors ----


class Validation:
    """A call computes the losses on the held-out part, and in stage end the errors of the mesh, over all ranks.

    dataset: the held-out part, of which every rank takes whole batches. predictor: as in draw_summary.
    """

    def __init__(
        self,
        dataset: Replacing,
        loss_cell,
        predictor: MeshPredictor | None,
        feed: BatchFeed,
        options,
        ranks: Ranks,
        bad_samples: BadSamples,
    ):
        self.dataset, self.loss_cell, self.predictor, self.feed = dataset, loss_cell, predictor, feed
        self.options, self.ranks, self.bad_samples = options, ranks, bad_samples
        self.parts = MicroBatches(loss_cell.input_names, options.accumulate)
        if predictor:
            self.lsp_rows = load_joint_regressors().lsp_rows

    def __call__(self) -> dict[str, float]:
        """name -> value: the mean losses with `total`, and the mean ERRORS of the samples that have a mesh.

        Sets the loss cell to evaluation mode; the caller sets it back to training.
        """
        self.loss_cell.set_train(False)
        loader = self._loader()
        losses = np.zeros(1 + len(self.loss_cell.loss_names))
        errors, meshes = np.zeros(len(ERRORS)), 0
        for batch in loader:
            self.bad_samples.check(batch[REPLACED])
            for inputs in self.parts(self.feed(batch)):
                losses += [float(value.asnumpy()) for value in self.loss_cell(*inputs)]
                if self.predictor:
                    found = self._errors(self.predictor, dict(zip(self.loss_cell.input_names, inputs, strict=True)))
                    errors += found.sum(1)
                    meshes += found.shape[1]
        self.bad_samples.settle()
        means = self.ranks.sum(losses / len(loader)) / self.ranks.size
        values = dict(zip(("total", *self.loss_cell.loss_names), means.tolist(), strict=True))
        *sums, count = self.ranks.sum([*errors, meshes]).tolist()
        if count:
            values |= {name: value / count for name, value in zip(ERRORS, sums, strict=True)}
        return values

    def _loader(self):
        return create_loader(
            self.dataset,
            (*self.feed.columns, REPLACED),
            self.options.batch_size * self.options.accumulate,
            shuffle=False,
            drop_last=True,
            num_workers=self.options.num_workers,
            rank=self.ranks.rank,
            world_size=self.ranks.size,
            seed=self.options.seed,
        )

    def _errors(self, predictor: MeshPredictor, inputs: dict) -> np.ndarray:
        """[3, n]: the ERRORS of those n samples of a batch that have a mesh."""
        _, vertices, *_ = predictor(inputs["img"])
        chosen = inputs["has_smpl"].asnumpy() > 0
        predicted = vertices.asnumpy()[chosen]
        true = inputs["gt_vertices"].asnumpy()[chosen]
        found = pose_errors(predicted, self.lsp_rows @ predicted, true, self.lsp_rows @ true)
        return np.stack([found[name] for name in ERRORS])


# ---- pictures ----


def draw_summary(loss_cell, predictor: MeshPredictor | None, feed: BatchFeed, batch: dict) -> np.ndarray:
    """What the networks predict for the first samples of a batch, as a picture RGB [H, W, 3] uint8.

    Columns: input | true IUV | predicted IUV, in stage end also mesh over input | location map.
    predictor: the way from what the feed gives as network_input to a mesh and a location map; None in stage dp.
    Sets the networks to evaluation mode, so that BatchNorm's running statistics do not change; the caller sets them
    back to training.
    """
    images, true_iuv = batch["img"].asnumpy(), batch["gt_iuv"].asnumpy()
    size = images.shape[-1]
    network = predictor or loss_cell.CNet
    network.set_train(False)
    outputs = network(feed.network_input(batch))
    dp_out = outputs[0].asnumpy()
    crops = [denormalise(image) for image in images[:MAX_ROWS]]
    rows = [
        [crop, iuv_colours(true, size), iuv_colours(predicted, size)]
        for crop, true, predicted in zip(crops, true_iuv, dp_out, strict=False)
    ]
    titles = ("input", "true IUV", "predicted IUV")
    if predictor is None:
        return tile(rows, titles)
    _, vertices, camera, location_map = outputs
    vertices = np.nan_to_num(vertices.asnumpy())  # a bad step has a picture too
    faces = load_body_model(config.SMPL_FILE).faces
    mask = predictor.sampler.mask.asnumpy()
    for index, row in enumerate(rows):
        row.append(draw_mesh(crops[index], vertices[index], faces, camera[index].asnumpy(), COLOUR))
        row.append(location_colours(np.nan_to_num(location_map[index].asnumpy()), mask, size))
    return tile(rows, (*titles, "mesh", "location map"))
