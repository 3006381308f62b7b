"""From photographs to meshes.

    python demo.py --checkpoint ckpt/rank0/dmr_30.ckpt --img photo.jpg --bbox bbox.json --out results/demo

For every person: the mesh as .obj, .ply and .glb (y up, metres), pictures of it over the photograph,
from the side and from behind, its IUV image, and all numbers as .npz. What cannot be read is reported
in one line; the rest is processed, and the exit code is 1.
"""

import sys
from collections.abc import Iterator

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

from tqdm import tqdm

from models.batch_norm_folding import fold_batch_norm
from models.trained import find_checkpoint, load_trained
from reconstruction.boxes import Square, find_people
from reconstruction.inputs import Photo, count_photos, read_photos
from reconstruction.outputs import write_results
from reconstruction.people import Reconstructor
from reconstruction.texture import TextureMaker
from utils import checkpoint, config
from utils.errors import UserError, run_command
from utils.files import make_folder, require_file
from utils.objfile import ObjMesh, read_obj
from utils.train_options import KERNELS, KERNELS_HELP, OTHER_BODY_HELP, CommandParser, TrainOptions, boolean


def parse_options():
    """The options of the command line, on top of the defaults of training for what describes the network."""
    parser = CommandParser(description="From photographs to meshes.")
    parser.add_argument("--img", nargs="+", required=True, metavar="PATH", help="images, videos or folders of them")
    parser.add_argument("--checkpoint", help="dmr weights; config.json beside them says which network they are of")
    parser.add_argument("--eval_dir", default="./ckpt/rank0", help="without --checkpoint: the newest dmr_*.ckpt here")
    parser.add_argument("--other_body", action="store_true", help=OTHER_BODY_HELP)
    parser.add_argument("--bbox", help='{"bbox": [x, y, w, h]} or a list of boxes; or a folder with STEM.json')
    parser.add_argument("--openpose", help="output of OpenPose; or its folder, with STEM_keypoints.json")
    parser.add_argument("--out", default="./results/demo", help="folder of the results")
    parser.add_argument("--texture", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help="also a texture from the visible pixels, and a textured .glb")  # fmt: skip
    parser.add_argument("--every", type=int, default=1, help="of a video, take every N-th frame")
    parser.add_argument("--batch_size", type=int, default=8, help="people at a time")
    parser.add_argument("--data_dir", help="data root instead of data/ or $DECOMR_DATA")
    parser.add_argument("--device_target", default="auto", choices=["auto", "CPU", "GPU", "Ascend"])
    parser.add_argument("--device_id", type=int, default=0)
    parser.add_argument("--no_tf32", nargs="?", const=True, default=False, type=boolean, metavar="BOOL",
                        help="float32 without TF32 (NVIDIA) or HF32 (Ascend)")  # fmt: skip
    parser.add_argument("--mode", default="pynative", choices=["pynative", "graph"],
                        help="graph compiles for some seconds first; for long videos")  # fmt: skip
    parser.add_argument("--kernels", default="auto", choices=KERNELS, help=KERNELS_HELP)
    given = vars(parser.parse_args())
    if given["bbox"] and given["openpose"]:
        raise UserError("--bbox and --openpose both say where people are; give one of them.")
    for name in ("every", "batch_size"):
        if given[name] < 1:
            raise UserError(f"--{name} is {given[name]}, expected at least 1.")
    options = TrainOptions().parse_args(["--data_dir", given["data_dir"]] if given["data_dir"] else [])
    vars(options).update(given)
    return options


def load_template(options, num_vertices: int) -> ObjMesh:
    """The faces of the body with their places in the atlas."""
    path = require_file(config.atlas_template(options.uv_type), "The meshes have its faces; see data/README.md.")
    template = read_obj(path)
    if len(template.vertices) != num_vertices:
        raise UserError(f"{path} has {len(template.vertices)} vertices, the atlas tables beside it {num_vertices}.")
    return template


class Problems:
    """Prints what is wrong with the inputs, and counts."""

    def __init__(self):
        self.count = 0

    def report(self, error: UserError) -> None:
        self.count += 1
        tqdm.write(f"demo.py: error: {error}", file=sys.stderr)


def photos_with_people(options, problems: Problems) -> Iterator[tuple[Photo, list[Square]]]:
    """Every photograph that can be read, with the squares of the people in it."""
    for photo in read_photos(options.img, options.every):
        if isinstance(photo, UserError):
            problems.report(photo)
            continue
        people = find_people(photo, options.bbox, options.openpose)
        for error in (entry for entry in people if isinstance(entry, UserError)):
            problems.report(error)
        squares = [entry for entry in people if isinstance(entry, Square)]
        if squares:
            yield photo, squares


def main() -> int:
    options = parse_options()
    print(setup_device(options))
    folder = make_folder(options.out)
    path = find_checkpoint(options)
    checkpoint.adopt_architecture(options, path, given=set())
    reconstructor = Reconstructor(fold_batch_norm(load_trained(options, path)), options)
    template = load_template(options, reconstructor.num_vertices)
    texture = TextureMaker(template) if options.texture else None
    problems, people_count = Problems(), 0
    photos = reconstructor(photos_with_people(options, problems))
    for photo, people in tqdm(photos, desc="demo", unit="photo", total=count_photos(options.img)):
        write_results(folder, photo, people, template, texture)
        people_count += len(people)
    print(f"written: {people_count} people, below {folder}")
    return 1 if problems.count else 0


if __name__ == "__main__":
    run_command(main)
