"""Make the whole stand-in data root: body models, atlases, and synthetic data sets in the original formats.

    python -m synthetic.generate --data_dir D --num_train 300 --num_test 40 --workers 2
    python -m synthetic.generate --data_dir D --num_videos 12 --num_test_videos 6
    python -m synthetic.generate --data_dir D --coco 40 --mpii 40 --lsp 20
    python -m synthetic.generate --body B [--data_dir D]

With --body the photographs show the body model in folder B, whose files do not change. The photographs are written to
B, or to another data root together with a copy of the body (docs/own_body.md). Photograph or video i depends only on
the body and on (seed, i, clothing, img_res). Finished files are kept, so an interrupted run continues. A folder with
data of another origin is refused.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import argparse
from dataclasses import asdict
from pathlib import Path

from atlas.unwrap.templates import atlas_makers, write_atlases
from synthetic import surreal
from synthetic.benchmarks.writers import WRITERS
from synthetic.body.write_body import GENDER_FILES, SHARED_FILES, write_body
from synthetic.foreign_body import check_body, copy_body, fingerprint
from synthetic.photographs.clothing_choice import CLOTHING
from synthetic.stages import Collection
from synthetic.up_3d import write_lists, write_photos
from utils import config
from utils.errors import UserError, run_command
from utils.files import write_text
from utils.renderer import CASTER_NOTE

FORMAT_VERSION = 5
# Numbers of test photographs start here, so that no training photograph ever shows the same as a test photograph.
FIRST_TEST = 50000
# Likewise for videos. Multiples of 6 keep the order of genders and of people who leave the frame.
FIRST_TRAIN_VIDEO, FIRST_TEST_VIDEO = 120000, 180000
SMALLEST_CROP, LARGEST_CROP = 32, 1024  # pixels
# files that may lie in a data root before it is filled
_HARMLESS = ("README*", ".*", "*.ckpt")


def main():
    options = parse_args()
    if options.data_dir or options.body:
        config.set_data_root(options.data_dir or options.body)
    generate(
        options.num_train, options.num_test, options.seed, options.workers, options.clothing, options.num_videos,
        options.num_test_videos, options.body, {name: getattr(options, name) for name in WRITERS}, options.img_res,
    )  # fmt: skip


def parse_args(args=None) -> argparse.Namespace:
    """The options of the command line, or of `args`."""
    return make_parser().parse_args(args)


def make_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", help="data root to fill; without it that of --body, $DECOMR_DATA or data/")
    parser.add_argument("--body", metavar="DIR", help="photograph the body model in this folder, not the generated one")
    parser.add_argument("--num_train", type=int, default=300, help="number of training photographs")
    parser.add_argument("--num_test", type=int, default=40, help="number of test photographs")
    parser.add_argument("--num_videos", type=int, default=0, help="number of training videos, in the format of SURREAL")
    parser.add_argument("--num_test_videos", type=int, default=0, help="number of its validation videos")
    for name, writer in WRITERS.items():
        parser.add_argument(f"--{name}", type=int, default=0, help=f"number of {writer.counted}")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other photographs")
    parser.add_argument("--workers", type=int, default=2, help="number of processes; the result does not depend on it")
    parser.add_argument(
        "--clothing",
        choices=CLOTHING,
        default="street",
        help="street: clothes of every kind; suit: suits whose colours name the place on the body, in a studio without "
        "furniture, easy to learn",
    )
    parser.add_argument(
        "--img_res",
        type=int,
        default=224,
        help="side of the crops that the photographs are for, px, as in train.py; small photographs take less time",
    )
    return parser


def generate(
    num_train: int, num_test: int, seed: int = 0, workers: int = 2, clothing: str = "street",
    num_videos: int = 0, num_test_videos: int = 0, body=None, benchmarks: dict[str, int] | None = None,
    img_res: int = 224,
) -> None:  # fmt: skip
    """Fill the data root of utils.config with photographs of the generated body, or of the one in folder `body`.

    benchmarks: name in WRITERS -> the number that its option gives.
    """
    if not 1 <= num_train <= FIRST_TEST or num_test < 1 or seed < 0 or workers < 1:
        raise UserError(
            f"--num_train must be 1 to {FIRST_TEST}, --num_test and --workers at least 1, --seed at least 0."
        )
    if not SMALLEST_CROP <= img_res <= LARGEST_CROP:
        raise UserError(f"--img_res is {img_res}, expected {SMALLEST_CROP} to {LARGEST_CROP} pixels.")
    if min(num_videos, num_test_videos) < 0 or max(num_videos, num_test_videos) > FIRST_TEST:
        raise UserError(f"--num_videos and --num_test_videos must be 0 to {FIRST_TEST}.")
    wanted = {name: count for name, count in (benchmarks or {}).items() if count}
    for name, count in wanted.items():
        if not 0 <= count <= WRITERS[name].most:
            raise UserError(f"--{name} is {count}, expected 0 to {WRITERS[name].most}.")
    root, collection = config.data_root(), Collection(seed, clothing, img_res)
    if body is None:
        claim_root(root, collection)
        write_own_body(root)
    else:
        bring_body(Path(body).expanduser(), root, collection, num_videos + num_test_videos > 0)
    if CASTER_NOTE:
        print(CASTER_NOTE)
    train, test = range(num_train), range(FIRST_TEST, FIRST_TEST + num_test)
    write_photos(config.UP_3D_ROOT, [*train, *test], collection, workers)
    write_lists(train, test)
    if num_videos or num_test_videos:
        write_surreal(num_videos, num_test_videos, collection, workers)
    for name, count in wanted.items():
        WRITERS[name].write(getattr(config, WRITERS[name].root), count, collection, workers)


def write_own_body(root: Path) -> None:
    """Make the generated body and its atlases if they are missing."""
    if not all(getattr(config, name).is_file() for name in (*GENDER_FILES.values(), *SHARED_FILES)):
        print("making the body model (about ten seconds)", flush=True)
        write_body(root)
    if not all(config.atlas_template(name).is_file() for name in atlas_makers()):
        print("unwrapping it to the atlases (about ten seconds)", flush=True)
        write_atlases(root)


def bring_body(folder: Path, root: Path, collection: Collection, videos: bool) -> None:
    """Check the body in `folder`, mark `root` as photographs of it, and copy the body there if `root` is elsewhere."""
    check_body(folder, videos)
    text = "Photographs made by python -m datasets.synthetic.generate of a body of another origin\n"
    text += _settings(collection) + f"body {fingerprint(folder)}\n"
    if folder.resolve() != root.resolve():
        claim(root, text, sorted(root.glob("*")), "the folder")
        copy_body(folder, root)
        return
    tables = config.DATASET_NPZ_PATH.glob("up_3d_*.npz")
    made = [config.UP_3D_ROOT, config.UP_3D_TEST_NAMES, config.SURREAL_ROOT, *tables]
    claim(root, text, made, f"it, {', '.join(path.name for path in made[:3])} and their tables")


def write_surreal(num_videos: int, num_test_videos: int, collection: Collection, workers: int) -> None:
    """Write the videos of both splits and the lists of the validation split."""
    splits = (
        (config.SURREAL_TRAIN_FOLDER, num_videos, FIRST_TRAIN_VIDEO),
        (config.SURREAL_VALIDATION_FOLDER, num_test_videos, FIRST_TEST_VIDEO),
    )
    for folder, count, first in splits:
        surreal.write_videos(config.SURREAL_ROOT / folder, list(range(count)), first, collection, workers)
    surreal.write_lists(num_test_videos)


def claim_root(root: Path, collection: Collection) -> None:
    """Mark `root` as synthetic; UserError if it holds other data, or photographs of another collection."""
    text = "Stand-in data made by python -m datasets.synthetic.generate\n" + _settings(collection)
    has_body = config.body_model_file(config.SMPL_FILE).exists()
    advice = f" To photograph the body in it, give --body {root}." if has_body else ""
    claim(root, text, sorted(root.glob("*")), "the folder", advice)


def _settings(collection: Collection) -> str:
    settings = {"version": FORMAT_VERSION} | asdict(collection)
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def claim(root: Path, text: str, places: list[Path], renew: str, advice: str = "") -> None:
    """Mark `root` with `text`; UserError if it has another mark, or has none though one of `places` holds something.

    renew: what the user must delete to get another mark. advice: what else the user can do with a foreign folder.
    """
    marker = root / config.GENERATED_MARKER
    if marker.is_file():
        if marker.read_text(encoding="utf-8") != text:
            raise UserError(
                f"{marker} says that this data was made with another seed, clothing, img_res, body or version. "
                f"Delete {renew} to make it anew, or choose another folder with --data_dir."
            )
        return
    held = [path for path in places if path.is_file() or path.is_dir() and any(path.iterdir())]
    foreign = [str(path.relative_to(root)) for path in held if not any(path.match(name) for name in _HARMLESS)]
    if foreign:
        raise UserError(
            f"{root} holds data that was not made here ({', '.join(foreign[:3])}{', ...' if foreign[3:] else ''}) "
            f"and is left as it is. Choose an empty folder with --data_dir.{advice}"
        )
    write_text(marker, text)


if __name__ == "__main__":
    run_command(main)
