"""The raw files of the synthetic SURREAL: videos with their annotations, and the lists of the validation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from tqdm import tqdm

from synthetic.photographs.videos import FEMALE, MALE, annotate, film, stage_take
from synthetic.stages import Collection, Studio
from utils import config
from utils.files import atomic_path, write_text_if_changed
from utils.media.video_files import write_frames
from utils.surreal_files import HEIGHT, WIDTH, info_file, read_info
from utils.workers import run_in_processes

FRAMES = 31  # of each video
ONE_FRAME = 1  # index of a video with a single frame: SURREAL has such videos, and preprocessing skips them
LIST_PREFIX = "surreal/data/cmu/val/"  # only what follows val/ is read


def video_name(index: int) -> str:
    """<run>/<sequence>/<name>.mp4, as SURREAL names its videos."""
    sequence = f"{index:02d}_{index % 3 + 1:02d}"
    return f"run{index % 3}/{sequence}/{sequence}_c0001.mp4"


def write_videos(folder: Path, indices: list[int], first_stream: int, collection: Collection, workers: int) -> None:
    """Film the missing videos of `folder` in `workers` processes; video i depends on (seed, first_stream + i)."""
    videos = {index: folder / video_name(index) for index in indices}
    missing = [index for index in indices if not (videos[index].is_file() and info_file(videos[index]).is_file())]
    filmed = run_in_processes(_VideoTaker(folder, collection, first_stream), missing, workers, one_thread=True)
    for _ in tqdm(filmed, "videos", len(missing), unit="file", disable=not missing):
        pass


@dataclass(frozen=True)
class _VideoTaker(Studio):
    """Film and write one video, called with its index; each process opens its own stages."""

    first_stream: int

    def __call__(self, index: int) -> None:
        number = self.first_stream + index
        stage = self.stages[MALE if number % 2 else FEMALE]
        take = stage_take(stage.model, self.seed, number, 1 if index == ONE_FRAME else FRAMES)
        frames = film(stage, take, self.seed, number)
        write_video(self.folder / video_name(index), frames, annotate(stage.model, take))


def write_video(path: Path, frames, info: dict) -> None:
    """Write mirrored frames [H, W, 3] uint8 BGR and their annotations, the .mat last."""
    write_frames(path, frames)
    with atomic_path(info_file(path)) as temporary:
        # Matlab wrote the original, and drops a last axis of length 1
        squeezed = {
            key: value[..., 0] if np.ndim(value) == 3 and value.shape[-1] == 1 else value for key, value in info.items()
        }
        scipy.io.savemat(temporary, squeezed, do_compression=True)


def write_lists(count: int) -> None:
    """Write namescmu.txt with all validation videos, and valid_list.txt with those that show the person halfway."""
    folder = config.SURREAL_ROOT / config.SURREAL_VALIDATION_FOLDER
    lines, valid = [], []
    for index in range(count):
        info = read_info(info_file(folder / video_name(index)))
        lines.append(f"{LIST_PREFIX}{video_name(index)}\t{len(info)}\t{info.gender}\n")
        middle = info.joints2d[len(info) // 2]
        if ((middle >= 0) & (middle <= (WIDTH - 1, HEIGHT - 1))).all():
            valid.append(index + 1)
    write_text_if_changed(config.SURREAL_VALIDATION_NAMES, "".join(lines))
    write_text_if_changed(config.SURREAL_VALIDATION_LIST, f"{valid}\n")
