"""From photographs and videos to meshes.

    python demo.py --checkpoint ckpt/rank0/dmr_30.ckpt --img photo.jpg --bbox bbox.json --out results/demo

For every person: the mesh as .obj, .ply and .glb (y up, metres), the body model that fits it as a rigged .glb, pictures
of both over the photograph, from the side and from behind, the IUV image, and all numbers as .npz. What cannot be read
is reported in one line; the rest is processed, and the exit code is 1. A photograph with nobody in it is no fault.
For every video: the people in it, followed over its frames, drawn on them, and the motion of each. With --report one
page in which the people turn and move.
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from utils.device import setup_device  # isort: skip  sets the environment MindSpore starts in

from tqdm import tqdm

from atlas import trained_on
from atlas.prepare import write_missing_tables
from models.inference import find_checkpoint, load_predictor
from reconstruction.body_fits import BodyFits
from reconstruction.boxes import Square
from reconstruction.inputs import Photo, count_photos, read_photos
from reconstruction.options import parse_options
from reconstruction.outputs import ResultWriter, name_people
from reconstruction.people import LEAST_MASK_SHARE, Person, Reconstructor
from reconstruction.people_finder import PeopleFinder
from reconstruction.report import ReportWriter, open_report
from reconstruction.texture import TextureMaker
from reconstruction.video_results import VideoWriter
from utils import config
from utils.body_model import BodyModel, load_body_model
from utils.checkpoints import checkpoint
from utils.errors import UserError, run_command
from utils.files import check_target, make_folder, require_file
from utils.objfile import ObjMesh, read_obj
from utils.optional_kernels import find_kernels


def load_template(options, num_vertices: int) -> ObjMesh:
    """The faces of the body with their places in the atlas."""
    path = require_file(config.atlas_template(options.uv_type), "The meshes have its faces; see data/README.md.")
    template = read_obj(path)
    if len(template.vertices) != num_vertices:
        raise UserError(f"{path} has {len(template.vertices)} vertices, the atlas tables beside it {num_vertices}.")
    return template


def tell(line: str) -> None:
    """Print a line beside the progress bar; on stderr, which takes the names of all files, valid text or not."""
    tqdm.write(f"demo.py: {line}", file=sys.stderr)


def load_body_fits(template: ObjMesh) -> BodyFits | None:
    """What fits the body model to meshes; None, after a line, without the model: the meshes do not need it."""
    try:
        return BodyFits(load_body_model(config.SMPL_FILE), template)
    except UserError as error:
        tell(f"warning: people get no pose, betas, joints, rigged body and motion. {error}")
        return None


def warn_of_people(photo: Photo, people: list[Person]) -> None:
    """A line for each person in whose crop the CNet saw no body, and for each to whom no body could be fitted."""
    for name, person in zip(name_people(photo, people), people, strict=True):
        if person.mask_share < LEAST_MASK_SHARE:
            tell(
                f"warning: {name}: the network sees a body on {100 * person.mask_share:.2g} % of the crop, "
                "too little for a mesh that means anything. Check the box."
            )
        if isinstance(person.body, UserError):
            tell(f"warning: {name}: the body model cannot be fitted to the mesh, which {person.body}")


class Problems:
    """Prints what is wrong with the inputs, and counts."""

    def __init__(self):
        self.count = 0

    def report(self, error: UserError) -> None:
        self.count += 1
        tell(f"error: {error}")


def photos_with_people(options, find_people: PeopleFinder, problems: Problems) -> Iterator[tuple[Photo, list[Square]]]:
    """Every photograph with people that can be read, and every frame of a video, with the squares of the people."""
    for photo in read_photos(options.img, options.every, note=tell):
        if isinstance(photo, UserError):
            problems.report(photo)
            continue
        people = find_people(photo)
        for error in (entry for entry in people if isinstance(entry, UserError)):
            problems.report(error)
        squares = [entry for entry in people if isinstance(entry, Square)]
        if squares or photo.clip:
            yield photo, squares
    for error in find_people.finish():
        problems.report(error)


Found = Iterable[tuple[Photo, list[Person]]]


def write_everything(
    options, template: ObjMesh, model: BodyModel | None, found: Found, report: ReportWriter | None
) -> int:
    """Write the files of all photographs and videos; returns how many people are in them."""
    folder, texture = Path(options.out), TextureMaker(template) if options.texture else None
    write_results = ResultWriter(folder, template, model, texture, options.turntable, options.focal)

    def write_photo(photo: Photo, people: list[Person]) -> dict:
        pictures = write_results(photo, people)
        warn_of_people(photo, people)
        return pictures

    def write_photos(photos: Found) -> int:
        count = 0
        for photo, people in photos:
            pictures = write_photo(photo, people)
            if report:
                report.add_photo(photo, people, pictures)
            count += len(people)
        return count

    write_video = VideoWriter(
        folder, template, tell, model, options.focal, options.smooth,
        write_photo if options.keep_frames else None, report,
    )  # fmt: skip
    groups = groupby(found, key=lambda entry: entry[0].clip)
    return sum(write_video(clip, photos) if clip else write_photos(photos) for clip, photos in groups)


def main() -> int:
    options = parse_options()
    device, kernels = setup_device(options), find_kernels()
    print(f"{device}, {kernels.choose(options.kernels)}")
    problems, count = Problems(), count_photos(options.img)
    find_people = PeopleFinder(
        options.bbox, options.openpose, options.min_score, tell, is_alone=count == 1, detector=options.detector
    )
    make_folder(options.out)
    if options.report:
        check_target(options.report)
    path = find_checkpoint(options)
    checkpoint.adopt_architecture(options, path, given=set())
    write_missing_tables(options)
    predictor = load_predictor(options, path, with_map=True)
    if trained_on.saw_generated_people_only(path):
        tell(f"{path} was trained on generated people only. Expect little of it on photographs of real people.")
    kernels.accelerate(predictor, options.kernels, weights_stay=True)
    template = load_template(options, len(predictor.sampler.vt_count))
    fit_bodies = load_body_fits(template)
    model = fit_bodies.model if fit_bodies else None
    people = Reconstructor(predictor, options, fit_bodies)(photos_with_people(options, find_people, problems))
    with open_report(options.report, template.faces, model, options.focal) as report:
        found = tqdm(people, "demo", count, unit="photo")
        people_count = write_everything(options, template, model, found, report)
    print(f"written: {people_count} people, below {options.out}")
    if options.report:
        print(f"written: {options.report}")
    return 1 if problems.count else 0


if __name__ == "__main__":
    run_command(main)
