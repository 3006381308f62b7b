"""From an image to a mesh: the trained network, and the sampling of its location map at the vertices.

    predictor = load_predictor(options, find_checkpoint(options))
    dp_out, vertices, camera = predictor(image)

eval.py, demo.py, export.py and the validation during training all take this way.
"""

import glob
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mindspore import Tensor, nn
from mindspore.nn.utils import no_init_parameters

from atlas import trained_on
from models.batch_norm_folding import fold_batch_norm
from models.compiled_cell import CompiledCell
from models.dense_cnn import get_CNet, get_LNet
from models.DMR import DMR
from models.uv_generator import Index_UV_Generator
from utils.checkpoints import checkpoint
from utils.errors import UserError


class MeshPredictor(CompiledCell):
    """Image [B, 3, S, S] -> dp_out [B, 3, h, w], vertices [B, V, 3] in metres, camera [B, 3] = (s, tx, ty).

    with_map: the location map [B, R, R, 3] in metres is the fourth output. `dmr` comes with its mode, of training or
    of evaluation; its parameters keep their names.
    """

    def __init__(self, dmr: nn.Cell, sampler: Index_UV_Generator, with_map: bool = False):
        super().__init__(auto_prefix=False)  # dmr may be part of a training step, whose names a prefix would change
        self.dmr = dmr
        self.sampler = sampler
        self.with_map = with_map

    def construct(self, image: Tensor):
        dp_out, location_map, camera = self.dmr(image)
        outputs = (dp_out, self.sampler.resample(location_map), camera)
        return (*outputs, location_map) if self.with_map else outputs


def load_predictor(options, path: Path, with_map: bool = False) -> MeshPredictor:
    """Image -> mesh with the weights of the checkpoint `path`, for inference alone: BatchNorm is folded.

    UserError as load_trained.
    """
    dmr = fold_batch_norm(load_trained(options, path))
    return MeshPredictor(dmr, Index_UV_Generator(options.uv_res, uv_type=options.uv_type), with_map)


def load_trained(options, path: Path) -> DMR:
    """The network that `options` describe, in evaluation mode, with the weights of the checkpoint `path`.

    UserError where they were trained with another atlas or body at rest, unless --other_body is given.
    """
    trained_on.check(options, path, trained_on.SEEN_BY_NETWORK)
    with no_init_parameters():  # drawing random weights takes as long as reading those of the file
        dmr = DMR(get_CNet(options), get_LNet(options))
    checkpoint.load_dmr(dmr, path)
    return dmr.set_train(False)


def find_checkpoints(options) -> list[Path]:
    """The checkpoints that --checkpoint names (words may be patterns), or the newest dmr_*.ckpt of --eval_dir."""
    if not options.checkpoint:
        return [find_checkpoint(options)]
    paths: list[Path] = []
    for word in options.checkpoint:
        matches = sorted(glob.glob(word)) if glob.has_magic(word) and not Path(word).exists() else [word]
        if not matches:
            raise UserError(f"--checkpoint {word}: no file has such a name.")
        paths += (checkpoint.find_weights(match, checkpoint.DMR_PREFIX) for match in matches)
    return list(dict.fromkeys(paths))


def find_checkpoint(options) -> Path:
    """The checkpoint that --checkpoint names, or the newest dmr_*.ckpt of the folder that it or --eval_dir names."""
    if not options.checkpoint and not Path(options.eval_dir).is_dir():
        raise UserError(f"there is no dmr_*.ckpt in {options.eval_dir}. Train first, or name one with --checkpoint.")
    return checkpoint.find_weights(options.checkpoint or options.eval_dir, checkpoint.DMR_PREFIX)


def run_in_batches(cell: Callable, batch_size: int, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The outputs of `cell` for columns [N, ...], each [N, ...], computed batch_size samples at a time.

    Graph mode compiles anew for every other size, so the last batch is filled up with copies of its last sample,
    whose outputs are dropped. The cell gets and gives Tensors with a leading batch axis and treats samples
    independently.
    """
    parts = [[output.asnumpy() for output in cell(*batch)] for batch in _full_batches(batch_size, columns)]
    count = len(columns[0])
    return tuple(np.concatenate(outputs)[:count] for outputs in zip(*parts, strict=True))


def _full_batches(batch_size: int, columns: tuple) -> Iterator[list[Tensor]]:
    for start in range(0, len(columns[0]), batch_size):
        taken = [column[start : start + batch_size] for column in columns]
        missing = batch_size - len(taken[0])
        yield [Tensor(np.concatenate([column, np.repeat(column[-1:], missing, axis=0)])) for column in taken]
