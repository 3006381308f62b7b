"""Cut out the part of a picture that the crops of a sample can show, and keep such parts in memory (--cache_ram).

Augmentation draws a new crop in every epoch, so finished crops cannot be kept. The square that contains all possible
crops can: --cache_ram keeps it decoded. Crops are warped from this square without --cache_ram too, so the cache does
not change an item by a single bit.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from utils.camera import BOX_UNIT
from utils.errors import UserError
from utils.memory import available_memory
from utils.workers import default_workers

BORDER = 2.0  # px around the square, which bilinear interpolation reads
SAMPLES_TO_JUDGE_BY = 64  # first samples, whose size gives an estimate for all
MEMORY_SHARE = 0.8  # a cache may take this share of the free memory


@dataclass(frozen=True)
class Region:
    """pixels [h, w, 3]: every `shrink`-th pixel, or the mean of shrink x shrink pixels, of an image of
    `shape` (height, width) from the pixel `corner` (x, y) on."""

    pixels: np.ndarray
    corner: tuple[int, int]
    shrink: int
    shape: tuple[int, int]

    def matrix(self, matrix: np.ndarray) -> np.ndarray:
        """Affine map [2, 3] from pixels of the image -> the same map from pixels of the region."""
        linear = matrix[:, :2]
        # pixel i of the region is the block of pixels whose middle is at corner + shrink * i + (shrink - 1) / 2
        origin = np.array(self.corner) + (self.shrink - 1) / 2
        return np.concatenate([linear * self.shrink, (linear @ origin + matrix[:, 2])[:, None]], axis=1)


@dataclass(frozen=True)
class Reach:
    """How augmentation changes a crop of `size` px: whether it turns; its side varies by a factor 1 +- `scale`."""

    size: int
    turns: bool
    scale: float

    def cut(self, image: np.ndarray, centre: np.ndarray, scale: float, labels: bool = False) -> Region:
        """The region of an image [H, W, 3] for crops of 200 * scale px around centre [2].

        If even the smallest crop shrinks the image more than twice, the mean of each block of pixels is kept, or for
        `labels`, which have no mean, the middle pixel.
        """
        side = BOX_UNIT * scale
        half = side / 2 * (1 + self.scale) * (np.sqrt(2) if self.turns else 1) + BORDER
        shrink = max(1, int(side * (1 - self.scale) / self.size))
        limit = np.array(image.shape[1::-1])
        # corners are multiples of shrink, so that the blocks of image and IUV image coincide
        low = (np.floor((centre - half) / shrink) * shrink).clip(0, limit).astype(int)
        high = np.minimum(np.ceil((centre + half) / shrink + 1).astype(int) * shrink, limit).clip(low)
        part = image[low[1] : high[1], low[0] : high[0]]
        if not part.size:  # the crop lies beside the image
            part = np.zeros_like(image, shape=(1, 1, 3))
        blocks = np.array(part.shape[1::-1]) // shrink
        if shrink == 1 or not blocks.all():
            shrink = 1
        elif labels:
            middle = (shrink - 1) // 2
            part = part[middle::shrink, middle::shrink][: blocks[1], : blocks[0]]
        else:
            part = part[: blocks[1] * shrink, : blocks[0] * shrink]
            part = cv2.resize(part, tuple(blocks.tolist()), interpolation=cv2.INTER_AREA)
        return Region(np.ascontiguousarray(part), (int(low[0]), int(low[1])), shrink, (image.shape[0], image.shape[1]))


def load_all(read, count: int, label: str) -> list:
    """[read(0), ..., read(count - 1)], each a tuple of Regions (or None) or a text, read by several threads.

    It is called before the loader forks its workers, so they share one copy. UserError if there is too little memory.
    """
    found: list[tuple] = []
    threads = default_workers()
    with ThreadPoolExecutor(threads) as pool, tqdm(total=count, desc=f"{label}: reading", unit="img") as progress:
        for start in range(0, count, SAMPLES_TO_JUDGE_BY):
            found += pool.map(read, range(start, min(start + SAMPLES_TO_JUDGE_BY, count)))
            progress.update(len(found) - start)
            if start == 0:
                _check_memory(found, count)
    return found


def _check_memory(found: list, count: int) -> None:
    held = sum(region.pixels.nbytes for regions in found for region in regions if isinstance(region, Region))
    needed, free = held * (count - len(found)) / len(found), available_memory()
    if needed > MEMORY_SHARE * free:
        raise UserError(
            f"--cache_ram needs about {needed / 2**30:.1f} GiB for {count} samples, of {free / 2**30:.1f} GiB free. "
            "Leave it out."
        )
