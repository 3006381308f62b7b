"""Make an atlas for a body mesh, and print how good it is.

python -m atlas.unwrap MESH.obj --out template.obj [--picture atlas.png]
"""

import utils.interpreter  # noqa: F401  isort: skip  a Python that cannot run this program ends here

import argparse

from atlas.unwrap.report import atlas_picture, distortion_report
from atlas.unwrap.templates import unwrap
from utils.errors import run_command
from utils.files import write_png
from utils.objfile import read_obj, write_obj

PICTURE_SIZE = 1200  # pixels


def make_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m atlas.unwrap", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mesh", help="closed body mesh with left-right symmetry (.obj), y up, facing +z")
    parser.add_argument("--out", required=True, help="the atlas template to write (.obj)")
    parser.add_argument("--picture", help="a picture of the atlas to write (.png)")
    return parser


def main() -> None:
    options = make_parser().parse_args()
    mesh = unwrap(read_obj(options.mesh))
    write_obj(options.out, mesh)
    for name, value in distortion_report(mesh).items():
        print(f"{name:>18}  {value:.4g}" if isinstance(value, float) else f"{name:>18}  {value}")
    if options.picture:
        write_png(options.picture, atlas_picture(mesh, PICTURE_SIZE))


if __name__ == "__main__":
    run_command(main)
