"""The trained network that eval.py, demo.py and export.py start from."""

from pathlib import Path

from models.dense_cnn import DPNet, get_LNet
from models.DMR import DMR
from utils import checkpoint
from utils.errors import UserError


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
