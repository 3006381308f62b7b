"""Compute the smallest mask loss that a mask of a quarter of the crop's width and height allows, without a network.

    python -m benchmarks.mask_floor --data_dir DIR [--img_res 128 192 224] [--photographs 8]

Minimises the loss over the mask's pixels of each photograph, and prints what eval.py would print of the result. A
network that has memorised the photographs reaches this at best. Needs requirements-dev.txt.
"""

import argparse

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import numpy as np
import torch
from torch.nn import functional

from benchmarks.timing import print_table
from datasets.open_dataset import open_dataset
from utils import config
from utils.errors import run_command
from utils.metrics import iuv_errors
from utils.train_options import TrainOptions

STRIDE = 4  # pixels of the crop for one of the IUV image
STEPS, RATE = 1500, 0.2  # of Adam


def load_true_images(size: int, count: int) -> np.ndarray:
    """Load the IUV images of the first training photographs without augmentation, [count, 3, size, size]."""
    options = TrainOptions().parse_args(["--img_res", str(size), "--no_augmentation"])
    dataset = open_dataset(options, "train")
    return np.stack([dataset[index]["gt_iuv"] for index in range(count)])


def optimise_masks(true: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Find the masks [B, 1, H / 4, W / 4] with the smallest mask loss against true masks [B, 1, H, W], and the loss."""
    logits = torch.zeros(len(true), 1, *(side // STRIDE for side in true.shape[2:]), requires_grad=True)
    adam = torch.optim.Adam([logits], RATE)
    for _ in range(STEPS):
        resized = functional.interpolate(logits.sigmoid(), size=true.shape[2:], mode="bilinear", align_corners=False)
        loss = functional.binary_cross_entropy(resized.clamp(0, 1), true)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return logits.sigmoid().detach(), loss.item()


def measure_row(size: int, count: int) -> list:
    true = load_true_images(size, count)
    masks, loss = optimise_masks(torch.tensor(true[:, :1] > 0).float())
    found = np.concatenate([masks.numpy(), np.zeros((count, 2, *masks.shape[2:]), np.float32)], 1)
    errors = iuv_errors(found, true, np.ones(count))
    return [size, f"{loss:.4f}", f"{errors['mask_iou'].mean():.3f}", f"{errors['mask_iou_coarse'].mean():.3f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="data root, prepared as UP-3D")
    parser.add_argument("--img_res", type=int, nargs="+", default=[128, 192, 224])
    parser.add_argument("--photographs", type=int, default=8)
    arguments = parser.parse_args()
    config.set_data_root(arguments.data_dir)
    rows = [measure_row(size, arguments.photographs) for size in arguments.img_res]
    print_table(["crop px", "mask loss", "mask IoU", "mask IoU, coarse"], rows)


if __name__ == "__main__":
    run_command(main)
