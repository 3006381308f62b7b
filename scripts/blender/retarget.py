"""Let a character with another skeleton move like a person in a video.

    PYTHON scripts/blender/retarget.py NAME_person0.glb character.blend --rate 30 --out moving.blend [--bones B.json]

PYTHON can import bpy (PyPI). With an installed Blender: blender -b -P scripts/blender/retarget.py -- WORDS
The motion is the .glb or .bvh of demo.py. Bones are those of Rigify's human metarig; B.json has those of another
character, by our joint: {"pelvis": "Hips", "left_hip": "LeftUpLeg", ...}. A joint that it leaves out moves no bone.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import bpy
from mathutils import Matrix

SIDES = ("left", "right")
SPINE = {
    "pelvis": "spine", "spine1": "spine.001", "spine2": "spine.002", "spine3": "spine.003", "neck": "spine.004",
    "head": "spine.006",
}  # fmt: skip
SIDE = {
    "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "toe", "collar": "shoulder", "shoulder": "upper_arm",
    "elbow": "forearm", "wrist": "hand",
}  # fmt: skip
RIGIFY = SPINE | {f"{side}_{joint}": f"{bone}.{side[0].upper()}" for side in SIDES for joint, bone in SIDE.items()}
LIMBS = (("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"), ("elbow", "wrist"))
LEG = ("left_hip", "left_knee", "left_ankle")
NEEDED = ("pelvis", *LEG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path, help=".glb or .bvh of a person")
    parser.add_argument("character", type=Path, help=".blend with one armature and its meshes")
    parser.add_argument("--rate", type=float, required=True, help="frames per second of the video")
    parser.add_argument("--bones", type=Path, help="names of the character's bones")
    parser.add_argument("--out", type=Path, required=True, help=".blend to write")
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    options = parser.parse_args(words)
    for path in (options.motion, options.character):
        if not path.is_file():
            stop(f"{path} does not exist.")
    names = read_names(options.bones) if options.bones else RIGIFY
    bpy.ops.wm.open_mainfile(filepath=str(options.character.resolve()))
    own = list(bpy.data.objects)
    target = find_armature(own, names, options.character)
    source = import_motion(options.motion, options.rate)
    imported = [thing for thing in bpy.data.objects if thing not in own]
    rest_in_pose_of(source, target, own, names)
    follow(source, target, names)
    bake(target)
    for thing in imported:
        bpy.data.objects.remove(thing)
    bpy.ops.wm.save_as_mainfile(filepath=str(options.out.resolve()))


def stop(line: str) -> NoReturn:
    """End with a line that says what is wrong."""
    print(f"retarget.py: error: {line}", file=sys.stderr)
    sys.exit(2)


def read_names(path: Path) -> dict[str, str]:
    """Read the names of bones by joint."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        stop(f"{path} is no JSON file that can be read: {error}")
    if not isinstance(names, dict) or not set(NEEDED) <= set(names) <= set(RIGIFY):
        others = sorted(set(RIGIFY) - set(NEEDED))
        stop(
            f"{path} must name the bones of {', '.join(NEEDED)}, may name those of {', '.join(others)}, and no others."
        )
    return names


def find_armature(things: list, names: dict[str, str], path: Path):
    """Find the one armature of a character, which has all bones, and whose meshes can be brought into its T pose."""
    armatures = [thing for thing in things if thing.type == "ARMATURE"]
    if len(armatures) != 1:
        stop(f"{path} has {len(armatures)} armatures, expected one.")
    missing = [bone for bone in names.values() if bone not in armatures[0].data.bones]
    if missing:
        stop(f"{path} has no bones {', '.join(map(str, missing))}. Say with --bones what its bones are called.")
    keyed = [mesh.name for mesh in things if mesh.type == "MESH" and mesh.data.shape_keys]
    if keyed:
        stop(f"{path}: {', '.join(keyed)} has shape keys, and Blender applies no pose to such a mesh. Remove them.")
    return armatures[0]


def import_motion(path: Path, rate: float):
    """Import a motion at the video's frame rate; returns its armature."""
    scene, before = bpy.context.scene, set(bpy.data.objects)
    scene.render.fps, scene.render.fps_base = round(rate), round(rate) / rate  # first: keys then lie on whole frames
    if path.suffix == ".bvh":
        bpy.ops.import_anim.bvh(filepath=str(path))
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    source = next(thing for thing in set(bpy.data.objects) - before if thing.type == "ARMATURE")
    start, end = source.animation_data.action.frame_range
    scene.frame_start, scene.frame_end = round(start), round(end)
    return source


def rest_in_pose_of(source, target, own: list, names: dict[str, str]) -> None:
    """Turn the character's limbs as those of the motion's T pose, and make this its rest pose."""
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="POSE")
    for upper, lower in [(f"{side}_{upper}", f"{side}_{lower}") for side in SIDES for upper, lower in LIMBS]:
        if upper not in names or lower not in names:
            continue
        bone, end = target.pose.bones[names[upper]], target.pose.bones[names[lower]]
        rest = source.data.bones[lower].head_local - source.data.bones[upper].head_local
        wanted = target.matrix_world.to_3x3().inverted() @ source.matrix_world.to_3x3() @ rest
        turn = (end.head - bone.head).rotation_difference(wanted)
        bone.matrix = Matrix.LocRotScale(bone.head, turn @ bone.matrix.to_quaternion(), None)
        bpy.context.view_layer.update()
    for mesh in (thing for thing in own if thing.type == "MESH"):
        for name in [each.name for each in mesh.modifiers if each.type == "ARMATURE" and each.object == target]:
            with bpy.context.temp_override(object=mesh, active_object=mesh):
                bpy.ops.object.modifier_copy(modifier=name)  # the copy goes on following the armature
                bpy.ops.object.modifier_apply(modifier=name)
    bpy.ops.pose.armature_apply()


def follow(source, target, names: dict[str, str]) -> None:
    """Let bones turn as the joints do, each relative to its rest pose, and the hips go where the pelvis goes."""
    legs = [
        sum((bones[lower].head_local - bones[upper].head_local).length for upper, lower in pairwise(leg))
        for bones, leg in ((target.data.bones, [names[joint] for joint in LEG]), (source.data.bones, LEG))
    ]
    source.scale *= legs[0] / legs[1]  # steps as long as the character's legs ask for
    for joint, bone in names.items():
        turn = target.pose.bones[bone].constraints.new("COPY_ROTATION")
        turn.target, turn.subtarget = source, joint
        turn.target_space, turn.owner_space = "LOCAL_OWNER_ORIENT", "LOCAL"
    place = target.pose.bones[names["pelvis"]].constraints.new("COPY_LOCATION")
    place.target, place.subtarget = source, "pelvis"


def bake(target) -> None:
    """Write what the constraints do as keys of the bones, and remove the constraints."""
    scene = bpy.context.scene
    bpy.ops.nla.bake(
        frame_start=scene.frame_start, frame_end=scene.frame_end, only_selected=False, visual_keying=True,
        clear_constraints=True, bake_types={"POSE"},
    )  # fmt: skip
    bpy.ops.object.mode_set(mode="OBJECT")


if __name__ == "__main__":
    main()
