"""Measure what demo.py does with a video of one person beside the network: seconds, as a ratio, and the peak of memory.

python -m benchmarks.videos [--frames 96] [--rounds 3] [--data_dir DIR] [--no_network]

A video of 224 x 224 px of a moving body is read, reconstructed, followed, fitted, drawn and written. The network has
random weights, which take as long as trained ones; its meshes are replaced by those of the body with noise, so that
fits and drawings have as much to do as with a trained one. Rounds of both alternate, and the fastest of each counts.
The seconds of all cores do not depend on what else the machine does. With --no_network the network's part is left out,
to see the memory of long videos.
"""

import utils.environment  # noqa: F401  isort: skip  before numpy and MindSpore

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

from benchmarks.data import prepare_benchmark_root
from benchmarks.memory import read_own_peak
from benchmarks.timing import describe_machine, print_table
from models.batch_norm_folding import fold_batch_norm
from models.dense_cnn import get_CNet, get_LNet
from models.DMR import DMR
from models.inference import MeshPredictor, run_in_batches
from models.uv_generator import Index_UV_Generator
from reconstruction.body_fits import BodyFits
from reconstruction.boxes import Square
from reconstruction.inputs import Photo, read_photos
from reconstruction.options import parse_options
from reconstruction.people import Reconstructor
from reconstruction.video_results import VideoWriter
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.errors import run_command
from utils.media.video_files import write_frames
from utils.objfile import read_obj
from utils.optional_kernels import find_kernels

SIDE = 224  # px
POSES = 48  # different bodies, which come again and again
NOISE = 0.01  # metres
BODY_SHARE = 0.15  # of a crop's pixels show the person
CAMERA = np.array([0.9, 0.0, 0.0], np.float32)


class Output:
    """An array that has the method with which Tensors give theirs."""

    def __init__(self, values: np.ndarray):
        self.values = values

    def asnumpy(self) -> np.ndarray:
        """The array."""
        return self.values


class Stand:
    """The network's time, and meshes of a moving body; called as a MeshPredictor with its map."""

    def __init__(self, predictor: MeshPredictor | None, model, resolution: int):
        self.predictor, self.resolution, self.next = predictor, resolution, 0
        rng = np.random.default_rng(0)
        speeds = rng.normal(0, 0.3, 72)
        turns = [np.r_[np.pi, 0, 0, (speeds * np.sin(2 * np.pi * step / POSES))[3:]] for step in range(POSES)]
        self.meshes = np.stack([pose_vertices(model, pose, np.zeros(10)) for pose in turns])
        self.meshes += rng.normal(0, NOISE, self.meshes.shape)
        self.iuv = rng.uniform(0, 1, (1, 3, 56, 56)).astype(np.float32)
        self.iuv[:, 0] = self.iuv[:, 0] < BODY_SHARE

    def __call__(self, image):
        """The outputs for a batch of crops [B, 3, S, S]."""
        count = len(image)
        if self.predictor is not None:
            for output in self.predictor(image):
                output.asnumpy()
        chosen = np.arange(self.next, self.next + count) % POSES
        self.next += count
        maps = np.zeros((count, self.resolution, self.resolution, 3), np.float32)
        iuv = np.repeat(self.iuv, count, axis=0)
        outputs = iuv, self.meshes[chosen].astype(np.float32), np.tile(CAMERA, (count, 1)), maps
        return [Output(output) for output in outputs]


def make_video(path: Path, frames: int) -> None:
    """A video of noise that moves slowly."""
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8), (0, 0), 4)
    write_frames(path, (np.roll(picture, number, axis=1) for number in range(frames)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data_dir")
    parser.add_argument("--no_network", action="store_true")
    words = parser.parse_args()
    prepare_benchmark_root(words.data_dir)
    options = parse_options(["--img", "video.mp4"])
    setup_device(options)
    dmr = DMR(get_CNet(options), get_LNet(options)).set_train(False)
    sampler = Index_UV_Generator(options.uv_res, uv_type=options.uv_type)
    predictor = MeshPredictor(fold_batch_norm(dmr), sampler, with_map=True)
    find_kernels().accelerate(predictor, options.kernels, weights_stay=True)
    model, atlas = load_body_model(config.SMPL_FILE), read_obj(config.atlas_template(options.uv_type))
    stand = Stand(None if words.no_network else predictor, model, options.uv_res)
    reconstruct = Reconstructor(stand, options, BodyFits(model, atlas))  # type: ignore[arg-type]
    size = (options.batch_size, 3, options.img_res, options.img_res)
    crops = np.random.default_rng(0).normal(size=size).astype(np.float32)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_video(folder / "video.mp4", words.frames)

        def frames():
            for photo in read_photos([folder / "video.mp4"]):
                assert isinstance(photo, Photo)
                yield photo, [Square(SIDE / 2, SIDE / 2, SIDE)]

        def whole() -> None:
            entries = reconstruct(frames())
            first, people = next(entries)
            assert first.clip is not None
            write = VideoWriter(folder, atlas, print, model, smooth=options.smooth)
            write(first.clip, (entry for part in ([(first, people)], entries) for entry in part))

        def network() -> None:
            for _ in range(0, 0 if words.no_network else words.frames, len(crops)):
                run_in_batches(predictor, len(crops), crops)

        seconds: dict = {network: [], whole: []}
        for _ in range(words.rounds + 1):  # the first warms up
            for task, taken in seconds.items():
                start = np.array([time.perf_counter(), time.process_time()])
                task()
                taken.append(np.array([time.perf_counter(), time.process_time()]) - start)
    alone, all_of_it = (1000 * np.min(taken[1:] or taken, axis=0) / words.frames for taken in seconds.values())
    print(describe_machine())
    rows = [
        [clock, f"{one:.0f}", f"{other:.0f}", "" if words.no_network else f"{other / one:.2f}"]
        for clock, one, other in zip(("time", "time of all cores"), alone, all_of_it, strict=True)
    ]
    print_table(["ms a frame", "network", "video", "ratio"], rows)
    print(f"peak memory with {words.frames} frames: {read_own_peak():.0f} MiB")
    return 0


if __name__ == "__main__":
    run_command(main)
