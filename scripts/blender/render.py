"""Render the .glb of a person in a video, or a character that moves like them, from where the video's camera stood.

    PYTHON scripts/blender/render.py NAME_person0.glb --rate 30 --size 1080 1920 --focal 1500 --out OUT [--frames 0 9]

PYTHON can import bpy (PyPI). With an installed Blender: blender -b -P scripts/blender/render.py -- WORDS
A .blend of retarget.py is opened as it is. Pictures are OUT/0000.png, ..., by the number of the scene's frame.
"""

import argparse
import math
import sys
from pathlib import Path

import bpy
import numpy as np

SKY, FLOOR = (0.35, 0.45, 0.6), (0.35, 0.36, 0.38)
SAMPLES = 48  # of a pixel; Cycles' filter removes the noise that is left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, help=".glb or .blend")
    parser.add_argument("--rate", type=float, required=True, help="frames per second of the video")
    parser.add_argument("--size", type=int, nargs=2, required=True, help="width and height of the video in px")
    parser.add_argument(
        "--focal", type=float, help="focal length in px; by default the frame's diagonal, as in demo.py"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--frames", type=int, nargs="*", help="the frames to render; by default all")
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    options = parser.parse_args(words)
    if not options.motion.is_file():
        parser.exit(2, f"render.py: error: {options.motion} does not exist.\n")
    open_motion(options.motion, options.rate)
    width, height = options.size
    add_camera(width, height, options.focal or math.hypot(width, height))
    add_floor_and_light(find_lowest())
    render(options.out, options.frames)


def open_motion(path: Path, rate: float) -> None:
    """Open a .blend, or import a .glb into an empty scene, with the video's frame rate."""
    if path.suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path))
        return
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = round(rate), round(rate) / rate  # first: keys then lie on whole frames
    bpy.ops.import_scene.gltf(filepath=str(path))
    start, end = bpy.data.objects["skeleton"].animation_data.action.frame_range
    scene.frame_start, scene.frame_end = round(start), round(end)


def add_camera(width: int, height: int, focal: float) -> None:
    """Add the video's camera: at the origin, it looks along +y, and z is up. focal: px."""
    scene, data = bpy.context.scene, bpy.data.cameras.new("video")
    data.sensor_fit, data.lens = "HORIZONTAL", data.sensor_width * focal / width
    scene.camera = bpy.data.objects.new("video", data)
    scene.camera.rotation_euler = math.pi / 2, 0, 0
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x, scene.render.resolution_y = width, height


def find_lowest() -> float:
    """Find the height of the lowest vertex of all frames, metres."""
    scene, lowest = bpy.context.scene, math.inf
    skinned = [thing for thing in bpy.data.objects if any(each.type == "ARMATURE" for each in thing.modifiers)]
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        for thing in skinned:
            posed = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
            places = np.empty(3 * len(posed.data.vertices), np.float32)
            posed.data.vertices.foreach_get("co", places)
            row = np.array(posed.matrix_world)[2]
            lowest = min(lowest, float((places.reshape(-1, 3) @ row[:3]).min() + row[3]))
    return lowest


def add_floor_and_light(height: float) -> None:
    """Add a floor at this height, a sun and a bright sky."""
    bpy.ops.mesh.primitive_plane_add(size=200, location=(0, 0, height))
    material = bpy.data.materials.new("floor")
    if material.node_tree is None:  # before Blender 5
        material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = *FLOOR, 1
    bpy.context.object.data.materials.append(material)
    bpy.ops.object.light_add(type="SUN", rotation=(math.radians(40), 0, math.radians(-35)))
    bpy.context.object.data.energy, bpy.context.object.data.angle = 3.0, math.radians(4)
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("sky")
    if scene.world.node_tree is None:  # before Blender 5
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = *SKY, 1


def render(folder: Path, frames: list[int] | None) -> None:
    """Render with Cycles, which needs neither a screen nor a GPU."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", SAMPLES
    for frame in range(scene.frame_start, scene.frame_end + 1) if frames is None else frames:
        scene.frame_set(frame)
        scene.render.filepath = str(folder.resolve() / f"{frame:04d}.png")
        bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
