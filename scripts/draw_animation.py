"""Draw docs/images/animation.jpg: a video, what demo.py draws on it, and Blender's renders of the same frames.

    python -m scripts.draw_animation --blender PYTHON --checkpoint FILE [--data_dir DIR] [--clothing street]
        [--video FILE --bbox x,y,w,h --focal PX] [--work DIR] [--out FILE]

PYTHON can import bpy, which PyPI has (pip install bpy, in an environment of its own). Without --video a generated
person is filmed first, by an upright camera that stands still; a video that is in --work already is taken as it is.
demo.py then writes the motion. Blender renders it, and a figure with another skeleton that moves alike.
"""

import utils.environment  # noqa: F401  isort: skip  before numpy and MindSpore

import argparse
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from reconstruction.inputs import Photo, read_photos
from reconstruction.options import parse_boxes
from synthetic.photographs.clothing_choice import CLOTHING
from synthetic.photographs.videos import Lens, Take, film_people, stage_take
from synthetic.stages import Collection, open_stage
from utils import config
from utils.body_model import BodyModel, pose_vertices
from utils.errors import UserError, run_command
from utils.files import make_folder, write_jpeg
from utils.media.video_files import write_frames
from utils.pictures import tile

REPOSITORY = Path(__file__).resolve().parent.parent
BLENDER = REPOSITORY / "scripts/blender"
PHONE = Lens(1500.0, (270.0, 480.0), height=960, width=540)  # upright; a person 6 m away is 440 px tall
FRAMES = 60
SEED, NUMBER = 0, 7  # of a person with the face to the camera, whose foot and arms come down
MARGIN = 0.1  # at each side of a box, as a share of its width or height
SHOWN = 4  # frames in the picture
SIDE = 270  # px of a frame there
TITLES = ("video", "demo.py: _overlay.mp4", "_person0.glb in Blender", "on another skeleton")


def film(path: Path, clothing: str, number: int) -> tuple[float, ...]:
    """Film a generated person, unless the video is there; returns the box (x, y, w, h), px, around them."""
    stage = open_stage(Collection(SEED, clothing))
    take = stage_take(stage.model, SEED, number, FRAMES, PHONE, leaves=False)
    if not path.is_file():
        write_frames(path, film_people([(stage, take)], SEED, number))
    return surround(stage.model, take)


def surround(model: BodyModel, take: Take) -> tuple[float, ...]:
    """The box (x, y, w, h), px, around a person in all frames, with a margin, inside the picture."""
    edge = np.array([take.lens.width, take.lens.height])
    bodies = (pose_vertices(model, pose, take.betas) for pose in take.pose)
    places = [take.camera(frame).project(body, edge[1], edge[0]) for frame, body in enumerate(bodies)]
    low, high = np.min(places, axis=(0, 1)), np.max(places, axis=(0, 1))
    margin = MARGIN * (high - low)
    low, high = np.rint((low - margin).clip(0, edge)), np.rint((high + margin).clip(0, edge))
    return (*low.tolist(), *(high - low).tolist())


def read_box(words: str) -> tuple[float, ...]:
    """The box (x, y, w, h) of the option --bbox."""
    boxes = parse_boxes([words])
    if isinstance(boxes, str) or len(boxes) != 1:
        raise UserError(f"--bbox is {words!r}, expected one box x,y,w,h.")
    return tuple(boxes[0])


def run(*words) -> None:
    """Run a command in this folder; UserError if it fails."""
    if subprocess.run([str(word) for word in words], cwd=REPOSITORY).returncode:
        raise UserError(f"{Path(str(words[1])).name} ended with an error; its message stands above.")


def read_frames(path: Path, numbers: list[int]) -> list[np.ndarray]:
    """The frames [H, W, 3] uint8 BGR of a video with these numbers, which rise."""
    photos = [photo for photo in read_photos([path]) if isinstance(photo, Photo)]
    return [photos[number].image for number in numbers]


def crop(picture: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """The largest square of a picture [H, W, 3] whose middle is nearest to that of the box: [SIDE, SIDE, 3]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left, top = (
        int(np.clip(start + (length - side) / 2, 0, whole - side))
        for start, length, whole in zip(box[:2], box[2:], (width, height), strict=True)
    )
    return cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def render(python: str, motion: Path, rate: float, size: tuple[int, ...], focal: float, numbers: list[int], work: Path):
    """Blender's pictures [H, W, 3] uint8 BGR of some frames of a motion: the person's body, and the figure of boxes."""
    figure, moving = work / "figure.blend", work / "moving.blend"
    run(python, BLENDER / "box_figure.py", figure)
    run(python, BLENDER / "retarget.py", motion, figure, "--rate", rate, "--out", moving)
    pictures = []
    for scene in (motion, moving):
        folder = work / f"render_{scene.suffix[1:]}"
        run(python, BLENDER / "render.py", scene, "--rate", rate, "--size", *size, "--focal", focal, "--out", folder,
            "--frames", *numbers)  # fmt: skip
        pictures.append([cv2.imread(str(folder / f"{number:04d}.png")) for number in numbers])
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blender", required=True, metavar="PYTHON", help="a Python with the package bpy")
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="as for demo.py")
    parser.add_argument("--data_dir", help="data root of the checkpoint")
    parser.add_argument("--clothing", default="suit", choices=CLOTHING, help="of the generated person")
    parser.add_argument("--number", type=int, default=NUMBER, help="of the generated video")
    parser.add_argument("--video", metavar="FILE", help="a video of your own")
    parser.add_argument("--bbox", help="x,y,w,h of the person in all of it")
    parser.add_argument("--focal", type=float, help="its focal length in px")
    parser.add_argument("--work", default="animation", help="folder for what is made on the way")
    parser.add_argument("--out", default=REPOSITORY / "docs/images/animation.jpg", type=Path)
    options = parser.parse_args()
    if options.video and not (options.bbox and options.focal):
        parser.error("--video needs --bbox and --focal.")
    if options.data_dir:
        config.set_data_root(options.data_dir)
    work = make_folder(Path(options.work).resolve())
    if options.video:
        video, focal = Path(options.video).resolve(), options.focal
        box = read_box(options.bbox)
    else:
        video, focal = work / "phone.mp4", PHONE.focal
        box = film(video, options.clothing, options.number)

    run(sys.executable, "demo.py", "--img", video, "--bbox", ",".join(map(str, box)), "--focal", focal, "--out", work,
        "--checkpoint", options.checkpoint, "--data_dir", config.data_root())  # fmt: skip
    with np.load(work / f"{video.stem}_person0.npz") as motion:
        start, length, rate = int(motion["first_frame"]), len(motion["poses"]), float(motion["mocap_frame_rate"])
    numbers = np.linspace(0, length - 1, SHOWN).astype(int).tolist()
    shown = [start + number for number in numbers]
    frames, overlays = (read_frames(path, shown) for path in (video, work / f"{video.stem}_overlay.mp4"))
    renders = render(
        options.blender, work / f"{video.stem}_person0.glb", rate, frames[0].shape[1::-1], focal, numbers, work
    )
    rows = [
        [crop(picture, box)[..., ::-1] for picture in pictures]
        for pictures in zip(frames, overlays, *renders, strict=True)
    ]
    write_jpeg(options.out, tile(rows, TITLES)[..., ::-1])
    print(f"written: {options.out}")


if __name__ == "__main__":
    run_command(main)
