"""The trained network that eval.py, demo.py and export.py start from."""

import glob
from pathlib import Path

from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from utils import checkpoint
from utils.errors import UserError


def find_checkpoints(options) -> list[Path]:
    """The checkpoints that --checkpoint names (words may be patterns), or the newest dmr_*.ckpt of --eval_dir."""
    if not options.checkpoint:
        return [find_checkpoint(options)]
    paths: list[Path] = []
    for word in options.checkpoint:
        matches = sorted(glob.glob(word)) if glob.has_magic(word) else [word]
        if not matches:
            raise UserError(f"--checkpoint {word}: no file has such a name.")
        paths += map(Path, matches)
    return list(dict.fromkeys(paths))


def find_checkpoint(options) -> Path:
    """The checkpoint that --checkpoint names, or the newest dmr_*.ckpt of --eval_dir."""
    if options.checkpoint:
        return Path(options.checkpoint)
    found = checkpoint.newest(options.eval_dir, checkpoint.DMR_PREFIX)
    if found is None:
        raise UserError(f"there is no dmr_*.ckpt in {options.eval_dir}. Train first, or name one with --checkpoint.")
    return found


def load_trained(options, path: Path) -> DMR:
    """The network that `options` describe, in evaluation mode, with the weights of the checkpoint `path`."""
    dmr = DMR(DPNet(options.warp_level, options.norm_type), get_LNet(options))
    checkpoint.load_dmr(dmr, path)
    return dmr.set_train(False)
