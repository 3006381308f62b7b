"""The trained network that eval.py, demo.py and export.py start from."""

import glob
from pathlib import Path

from atlas import trained_on
from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from utils.checkpoints import checkpoint
from utils.errors import UserError


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


def load_trained(options, path: Path) -> DMR:
    """The network that `options` describe, in evaluation mode, with the weights of the checkpoint `path`.

    UserError where they were trained with another atlas or body at rest, unless --other_body is given.
    """
    trained_on.check(options, path, trained_on.SEEN_BY_NETWORK)
    dmr = DMR(DPNet(options.warp_level, options.norm_type), get_LNet(options))
    checkpoint.load_dmr(dmr, path)
    return dmr.set_train(False)
