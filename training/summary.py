"""The pictures that a run shows of itself: what the networks make of the first samples of a batch."""

import numpy as np
from mindspore import nn

from training.feed import BatchFeed
from utils import config
from utils.body_model import load_body_model
from utils.pictures import denormalise, draw_mesh, iuv_colours, location_colours, tile

MAX_ROWS = 4
COLOUR = (0.55, 0.70, 0.95)


def summary(loss_cell: nn.Cell, feed: BatchFeed, batch: dict) -> np.ndarray:
    """RGB [H, W, 3] uint8: input | true IUV | predicted IUV, in stage end also mesh over input | location map.

    The networks are in evaluation mode meanwhile, so that looking does not move BatchNorm's running
    statistics; the caller sets them back to training.
    """
    images, true_iuv = batch["img"].asnumpy(), batch["gt_iuv"].asnumpy()
    size = images.shape[-1]
    whole = getattr(loss_cell, "DMR", None)
    network = whole or loss_cell.CNet
    network.set_train(False)
    outputs = network(feed.network_input(batch))
    dp_out = outputs[0].asnumpy()
    crops = [denormalise(image) for image in images[:MAX_ROWS]]
    rows = [
        [crop, iuv_colours(true, size), iuv_colours(predicted, size)]
        for crop, true, predicted in zip(crops, true_iuv, dp_out, strict=False)
    ]
    titles = ("input", "true IUV", "predicted IUV")
    if whole is None:
        return tile(rows, titles)
    _, location_map, camera = outputs
    vertices = np.nan_to_num(loss_cell.sampler.resample(location_map).asnumpy())  # pictures of a bad step, too
    faces = load_body_model(config.SMPL_FILE).faces
    mask = loss_cell.sampler.mask.asnumpy()
    for index, row in enumerate(rows):
        row.append(draw_mesh(crops[index], vertices[index], faces, camera[index].asnumpy(), COLOUR))
        row.append(location_colours(np.nan_to_num(location_map[index].asnumpy()), mask, size))
    return tile(rows, (*titles, "mesh", "location map"))
