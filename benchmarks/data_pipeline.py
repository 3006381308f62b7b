"""Measure the data pipeline: preparing, reading and caching photographs, and reading frames of videos.

    python -m synthetic.generate --data_dir DIR --num_train 12 --num_test 4 --num_videos 6
    python preprocess_surreal.py --train_files --gt_iuv --data_dir DIR
    python -m benchmarks.data_pipeline --data_dir DIR

Uses copies of DIR's photographs, enlarged to 500 x 500 pixels, in a temporary folder, and the frames of its videos. The
network is left out: a stand-in takes each batch at once. "per core" means images per second of processor time of all
threads and processes together; from it follows how many cores feed DEVICES devices of DEVICE_RATE images per second.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import utils.environment  # noqa: F401  isort: skip  before MindSpore

import cv2
import numpy as np

from benchmarks.memory import measure_command_peak
from datasets.loader import create_loader
from datasets.open_dataset import open_dataset
from datasets.video import read_frame
from utils import config
from utils.errors import UserError, run_command
from utils.files import write_npy, write_png
from utils.train_options import TrainOptions

SIDE = 500  # px of the photographs
CROP = 224
# the columns that stage end reads
COLUMNS = ("img", "gt_iuv", "has_dp", "has_smpl", "keypoints", "pose", "betas", "gender")
DEVICES, DEVICE_RATE = 8, 150
FRAMES = 300  # read from videos in random order
BATCH = 16


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="a data root that synthetic.generate made")
    parser.add_argument("--samples", type=int, default=96, help="photographs to measure with (default 96)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the preparation and the loader")
    args = parser.parse_args()
    config.set_data_root(args.data_dir)
    rows = [*measure_videos(), *measure_loader("surreal", args.workers)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_photographs(Path(args.data_dir).resolve(), root, args.samples)
        config.set_data_root(root)
        rows += measure_preparation(root, args.samples, args.workers)
        rows += measure_loader("up-3d", args.workers)
    print_table(rows)


def print_table(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


def write_photographs(source: Path, root: Path, count: int) -> None:
    """Write a data root with `count` photographs of SIDE x SIDE px; body and atlases are links to those of `source`."""
    for path in source.iterdir():
        if path.name not in ("up-3d", "surreal", "DATASET_NPZ_PATH"):
            (root / path.name).symlink_to(path)
    (root / "up-3d").mkdir()
    images = sorted((source / "up-3d").glob("*_image.png"))
    if not images:
        raise UserError(f"{source} has no up-3d/*_image.png. Make them with python -m synthetic.generate.")
    names = []
    for index in range(count):
        path = images[index % len(images)]
        picture, stem = cv2.imread(str(path)), str(path).removesuffix("_image.png")
        enlarge = SIDE / np.array(picture.shape[1::-1])
        name = f"{index:05d}"
        write_png(root / f"up-3d/{name}_image.png", cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
        write_npy(root / f"up-3d/{name}_joints.npy", np.load(f"{stem}_joints.npy") * [*enlarge[:, None], [1]])
        shutil.copy(f"{stem}_body.pkl", root / f"up-3d/{name}_body.pkl")
        names.append(f"/{name}_image.png")
    (root / "up-3d/trainval.txt").write_text("\n".join(names) + "\n")


def measure_preparation(root: Path, count: int, workers: int) -> list[tuple[str, str]]:
    """Run preprocess_datasets.py on a quarter and on everything; the difference shows speed and growth of memory."""
    quarter, seconds, memory = count // 4, [], []
    names = (root / "up-3d/trainval.txt").read_text().splitlines()
    for part in (quarter, count):
        (root / "up-3d/trainval.txt").write_text("\n".join(names[:part]) + "\n")
        for made in (root / "DATASET_NPZ_PATH", root / "up-3d/BF_IUV_gt"):
            shutil.rmtree(made, ignore_errors=True)
        command = [sys.executable, "preprocess_datasets.py", "--train_files", "--gt_iuv", "--workers", str(workers)]
        started = time.perf_counter()
        memory.append(measure_command_peak([*command, "--data_dir", str(root)]))
        seconds.append(time.perf_counter() - started)
    each = (seconds[1] - seconds[0]) / (count - quarter)
    speed = f"{1 / each:.1f} images/s, 1000 in {1000 * each / 60:.1f} min"
    return [
        (f"prepare UP-3D, npz and IUV, {workers} workers", speed),
        (f"  largest process, {quarter} / {count} images", f"{memory[0]:.0f} / {memory[1]:.0f} MiB"),
    ]  # fmt: skip


def measure_loader(name: str, workers: int) -> list[tuple[str, str]]:
    """Measure the batches of the data set `name`, augmented, from disk and from memory."""
    rows = []
    for title, words in (("from disk", []), ("--cache_ram", ["--cache_ram"])):
        options = TrainOptions().parse_args(["--img_res", str(CROP), "--dataset", name, *words])
        started = time.perf_counter()
        dataset = open_dataset(options, "train")
        if dataset.cached:
            regions = [region for pair in dataset.cached for region in pair]
            held = sum(region.pixels.nbytes for region in regions) / len(dataset) / 2**20
            spent = time.perf_counter() - started
            rows.append(("  filling the cache", f"{len(dataset) / spent:.0f} images/s, {held:.2f} MiB an image"))
        run_epoch(dataset, 0, 1)  # reads the files into the page cache and loads the code
        wall, processor = run_epoch(dataset, 1, 1)
        rows.append(
            (f"{name}, {CROP} px crops, {title}", f"{processor:.0f} images/s per core ({wall:.0f} by the clock)")
        )
        cores = DEVICES * DEVICE_RATE / processor
        rows.append((f"  for {DEVICES} devices of {DEVICE_RATE} images/s", f"{cores:.1f} cores"))
        wall, processor = run_epoch(dataset, 1, workers)
        rows.append((f"  {workers} workers", f"{wall:.0f} images/s by the clock"))
    return rows


def run_epoch(dataset, epoch: int, workers: int) -> tuple[float, float]:
    """Run four epochs; returns images per second by the clock and per second of processor time."""
    started, spent, count = time.perf_counter(), time.process_time(), 0
    for repeat in range(4):
        loader = create_loader(
            dataset, COLUMNS, BATCH, epoch=epoch + repeat, shuffle=True, drop_last=True, num_workers=workers
        )
        count += BATCH * sum(1 for _ in loader)
    return count / (time.perf_counter() - started), count / (time.process_time() - spent)


def measure_videos() -> list[tuple[str, str]]:
    """Read frames in random order, as training does: with our reader, and by opening the video every time."""
    videos = sorted((config.SURREAL_ROOT / config.SURREAL_TRAIN_FOLDER).glob("*/*/*.mp4"))
    if not videos:
        raise UserError(f"{config.SURREAL_ROOT} has no videos. Make them with generate --num_videos 6.")
    lengths = [int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)) for path in videos]
    rng = np.random.default_rng(0)
    chosen = [(videos[i], int(rng.integers(lengths[i]))) for i in rng.integers(len(videos), size=FRAMES)]
    figures = {}
    for title, read in (("opened and sought every time", read_naively), ("kept open", lambda *a: read_frame(*a, ""))):
        started = time.perf_counter()
        for path, frame in chosen:
            read(path, frame)
        figures[title] = FRAMES / (time.perf_counter() - started)
    return [(f"SURREAL, random frames, {title}", f"{figure:.0f} frames/s") for title, figure in figures.items()]


def read_naively(path: Path, frame: int) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
    return capture.read()[1]


if __name__ == "__main__":
    run_command(main)
