"""Measure the time of one IUV image on one core: a body of the data root in random poses, at 224 x 224.

python -m benchmarks.renderer [--data_dir DIR] [--repeats 50] [--size 224] [--caster embree|numpy]
"""

import argparse
import os
import time

import numpy as np

from datasets.preprocess.generate_gt_iuv import load_atlas_faces
from utils import config
from utils.body_model import load_body_model, pose_vertices
from utils.camera import OrthographicCamera, perspective_from_weak
from utils.errors import run_command
from utils.pictures import overlay
from utils.ray_casting.numpy_caster import NumpyCaster
from utils.renderer import DEFAULT_CASTER, Renderer, iuv_image, shade

CASTERS = {"embree": DEFAULT_CASTER, "numpy": NumpyCaster}
CAMERA = (0.8, 0.0, 0.0)
POSE_SPREAD = 0.15  # radians
SUPERSAMPLE = 3


def measure_milliseconds(work, meshes: list) -> tuple[float, float]:
    """Measure the median and the best time of work(mesh) over the meshes."""
    times = []
    for mesh in meshes:
        start = time.perf_counter()
        work(mesh)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)), min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="data root instead of data/ or $DECOMR_DATA")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--size", type=int, default=224, help="pixels (default 224)")
    parser.add_argument("--caster", choices=CASTERS, default="embree", help="of rays, where both are installed")
    arguments = parser.parse_args()
    size, caster = arguments.size, CASTERS[arguments.caster]
    if arguments.data_dir:
        config.set_data_root(arguments.data_dir)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # also binds Embree's threads

    body = load_body_model(config.SMPL_FILE)
    atlas = load_atlas_faces("BF", len(body.v_template))
    rng = np.random.default_rng(0)
    upright = np.zeros(72)
    upright[0] = np.pi
    meshes = [
        pose_vertices(body, upright + POSE_SPREAD * rng.normal(size=72), np.zeros(10)) for _ in range(arguments.repeats)
    ]
    perspective, orthographic = perspective_from_weak(CAMERA, size, size), OrthographicCamera(CAMERA[0], CAMERA[1:])
    blank = np.zeros((size, size, 3), np.uint8)

    def picture(mesh):
        hits = Renderer(mesh, atlas.faces, caster).cast(orthographic, size, size, SUPERSAMPLE)
        return overlay(blank, shade(hits, mesh, atlas.faces))

    tasks = {
        "IUV image, perspective": lambda mesh: iuv_image(
            Renderer(mesh, atlas.faces, caster).cast(perspective, size, size), atlas.uv
        ),
        "IUV image, orthographic": lambda mesh: iuv_image(
            Renderer(mesh, atlas.faces, caster).cast(orthographic, size, size), atlas.uv
        ),
        "  of which making the scene": lambda mesh: Renderer(mesh, atlas.faces, caster),
        f"shaded overlay, {SUPERSAMPLE} x {SUPERSAMPLE} samples": picture,
    }
    print(f"{size} x {size}, {len(atlas.faces)} triangles, one core, {caster.__name__}, {arguments.repeats} poses")
    print(f"{'':36s}{'median':>10s}{'best':>10s}")
    for name, work in tasks.items():
        work(meshes[0])
        median, best = measure_milliseconds(work, meshes)
        print(f"{name:36s}{median:7.1f} ms{best:7.1f} ms")


if __name__ == "__main__":
    run_command(main)
