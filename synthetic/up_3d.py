"""The raw files of the synthetic UP-3D: photographs with annotations, and the lists that name them."""

import pickle
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from synthetic.photographs.photos import Photo, take_photo
from synthetic.stages import Collection, Studio
from utils import config
from utils.files import atomic_path, write_npy, write_png, write_text_if_changed
from utils.workers import run_in_processes

VALIDATION_EVERY = 5


def sample_files(folder: Path, index: int) -> dict[str, Path]:
    """The three files of sample `index`, in the order in which they are written."""
    suffixes = {"image": "image.png", "joints": "joints.npy", "body": "body.pkl"}
    return {name: Path(folder) / f"{index:05d}_{suffix}" for name, suffix in suffixes.items()}


def write_photos(folder: Path, indices: list[int], collection: Collection, workers: int) -> None:
    """Take the missing photographs of `folder` in `workers` processes."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in indices if not all(path.is_file() for path in sample_files(folder, index).values())]
    samples = run_in_processes(_PhotoTaker(folder, collection), missing, workers, one_thread=True)
    for _ in tqdm(samples, "photographs", len(missing), unit="file", disable=not missing):
        pass


@dataclass(frozen=True)
class _PhotoTaker(Studio):
    """Take and write one photograph, called with its index; each process opens its own stage."""

    def __call__(self, index: int) -> None:
        write_sample(self.folder, index, take_photo(self.stage, self.seed, index))


def write_sample(folder: Path, index: int, photo: Photo) -> None:
    """Write a photograph with its annotations; the body is written last and marks the sample as complete."""
    files = sample_files(folder, index)
    write_png(files["image"], photo.image)
    write_npy(files["joints"], photo.joints)
    with atomic_path(files["body"]) as temporary, open(temporary, "wb") as stream:
        pickle.dump(photo.body, stream, protocol=2)  # 2: what the Python 2 tools of UP-3D wrote


def write_lists(train: range, test: range) -> None:
    """trainval.txt, train.txt, val.txt and test.txt of UP-3D, and namesUPlsp.txt with the test images."""
    folder = config.UP_3D_ROOT
    _write_list(folder / "trainval.txt", train)
    _write_list(folder / "train.txt", [index for index in train if (index + 1) % VALIDATION_EVERY])
    _write_list(folder / "val.txt", [index for index in train if not (index + 1) % VALIDATION_EVERY])
    _write_list(folder / "test.txt", test)
    _write_list(config.UP_3D_TEST_NAMES, test)


def _write_list(path: Path, indices) -> None:
    write_text_if_changed(path, "".join(f"/{index:05d}_image.png\n" for index in indices))
