"""The options of demo.py."""

import math
import os.path
import re

from reconstruction.detector import MIN_SCORE
from utils.errors import UserError
from utils.train_options import (
    CHECKPOINT_HELP,
    DATA_DIR_HELP,
    EVAL_DIR_HELP,
    KERNELS,
    KERNELS_HELP,
    OTHER_BODY_HELP,
    TARGET_HELP,
    TARGETS,
    TF32_HELP,
    CommandParser,
    TrainOptions,
    boolean,
)

BBOX_HELP = """where people are: x,y,w,h in pixels, several for several people; or a file: {"bbox": [x, y, w, h]},
a list of boxes, COCO results or annotations, or YOLO's .txt; or a folder with STEM.json or STEM.txt of each image.
Without --bbox, --openpose and --detector: one person, for whom the whole picture is taken"""
DETECTOR_HELP = """find the people with a YOLO network in an ONNX file, which you export; see docs/reconstruction.md"""
MIN_SCORE_HELP = f"""leave out boxes whose score is lower; with --openpose people whose keypoints above 0.2 have a lower
mean confidence. Default: 0; {MIN_SCORE} with --detector"""
WHERE_PEOPLE_ARE = ("bbox", "openpose", "detector")


def parse_options(arguments=None):
    """Read the command line; options that describe the network have the defaults of training."""
    given = vars(make_parser().parse_args(arguments))
    sources = [f"--{name}" for name in WHERE_PEOPLE_ARE if given[name]]
    if len(sources) > 1:
        both = "both say" if len(sources) == 2 else "all say"
        raise UserError(f"{' and '.join(sources)} {both} where people are; give one of them.")
    for name in ("every", "batch_size"):
        if given[name] < 1:
            raise UserError(f"--{name} is {given[name]}, expected at least 1.")
    if given["focal"] is not None and not 0 < given["focal"] < math.inf:
        raise UserError(f"--focal is {given['focal']}, expected a number of pixels above 0.")
    if not 0 <= given["smooth"] < math.inf:
        raise UserError(f"--smooth is {given['smooth']}, expected a number of seconds that is at least 0.")
    given["min_score"] = _check_min_score(given["min_score"], sources)
    if given["bbox"]:
        given["bbox"] = parse_boxes(given["bbox"])
    options = TrainOptions().parse_args(["--data_dir", given["data_dir"]] if given["data_dir"] else [])
    vars(options).update(given)
    return options


def _check_min_score(score: float | None, sources: list[str]) -> float:
    """Return the least score of a person; without one, the default of the source."""
    if score is None:
        return MIN_SCORE if "--detector" in sources else 0.0
    if not 0 <= score < math.inf:
        raise UserError(f"--min_score is {score}, expected a number that is at least 0.")
    if "--detector" in sources and not 0 < score <= 1:
        raise UserError(f"--min_score is {score}, expected a number above 0 and up to 1 with --detector.")
    if score and not sources:
        raise UserError("--min_score needs --bbox, --openpose or --detector, whose scores it compares.")
    return score


def make_parser() -> CommandParser:
    """Make the parser of demo.py."""
    parser = CommandParser(description="From photographs to meshes.")
    # words such as -10,20,100,200 are boxes, not options
    parser._negative_number_matcher = re.compile(r"-[.\d]")
    parser.add_argument("--img", nargs="+", required=True, metavar="PATH", help="images, videos or folders of them")
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    parser.add_argument("--eval_dir", default="./ckpt/rank0", help=EVAL_DIR_HELP)
    parser.add_argument("--other_body", action="store_true", help=OTHER_BODY_HELP)
    parser.add_argument("--bbox", nargs="+", action="extend", metavar="BOX|FILE|FOLDER", help=BBOX_HELP)
    parser.add_argument("--openpose", metavar="FILE|FOLDER",
                        help="output of OpenPose; or its folder, with STEM_keypoints.json or, for frames of a video, "
                             "STEM_000000000000_keypoints.json")  # fmt: skip
    parser.add_argument("--detector", metavar="FILE", help=DETECTOR_HELP)
    parser.add_argument("--min_score", type=float, metavar="SCORE", help=MIN_SCORE_HELP)
    parser.add_argument("--out", default="./results/demo", help="folder of the results")
    parser.add_argument("--texture", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help="also write a texture from the visible pixels, and a textured .glb")  # fmt: skip
    parser.add_argument("--turntable", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help="also write a .gif of the photograph and the mesh, which turns")  # fmt: skip
    parser.add_argument("--report", metavar="FILE",
                        help="also write a page, as one .html file, in which the people of photographs turn and those "
                             "of videos move")  # fmt: skip
    parser.add_argument("--focal", type=float, metavar="PX",
                        help="focal length of the photographs in pixels, for the camera in the .npz; by default the "
                             "length of the image's diagonal")  # fmt: skip
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th frame of a video")
    parser.add_argument("--smooth", type=float, default=0.3, metavar="SECONDS",
                        help="width of the window over which the motion of people in a video is smoothed; 0: not at all"
                        )  # fmt: skip
    parser.add_argument("--keep_frames", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help="also write the files of a photograph for every frame of a video")  # fmt: skip
    parser.add_argument("--batch_size", type=int, default=8, help="number of people that are computed at a time")
    parser.add_argument("--data_dir", help=DATA_DIR_HELP)
    parser.add_argument("--device_target", default="auto", choices=TARGETS, help=TARGET_HELP)
    parser.add_argument("--device_id", type=int, default=0, help="number of the GPU or NPU")
    parser.add_argument("--no_tf32", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help=TF32_HELP)  # fmt: skip
    parser.add_argument("--mode", default="pynative", choices=["pynative", "graph"],
                        help="MindSpore's mode: graph compiles for some seconds first and pays for long videos"
                        )  # fmt: skip
    parser.add_argument("--kernels", default="auto", choices=KERNELS, help=KERNELS_HELP)
    return parser


def parse_boxes(words: list[str]) -> list[list[float]] | str:
    """Parse the words behind --bbox: boxes [x, y, w, h] in px, or the name of the file or folder that has them.

    A box is four numbers separated by commas, "10,20,100,200" or "[10, 20, 100, 200]", or four words.
    """
    if len(words) == 1 and os.path.exists(words[0]):
        return words[0]
    boxes = [_numbers_in(word) for word in words]
    if not any(boxes):
        if len(words) > 1:
            raise UserError(f"--bbox has {len(words)} files or folders, expected one, or boxes x,y,w,h.")
        return words[0]
    if all(len(box) == 1 for box in boxes):
        single = [box[0] for box in boxes]
        boxes = [single[start : start + 4] for start in range(0, len(single), 4)]
    for box, word in zip(boxes, words, strict=False):
        if len(box) != 4:
            raise UserError(f"--bbox has {word!r}, expected boxes x,y,w,h, or one file or folder.")
    return boxes


def _numbers_in(word: str) -> list[float]:
    """Parse "10,20,100,200", in brackets or not; an empty list for anything else."""
    parts = word.strip("[]() ").split(",")
    try:
        return [float(part) for part in parts]
    except ValueError:
        return []
