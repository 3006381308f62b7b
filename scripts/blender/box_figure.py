"""Make a character with another skeleton than SMPL's, to try retarget.py with: Rigify's human, a box for each bone.

    PYTHON scripts/blender/box_figure.py character.blend

PYTHON can import bpy (PyPI). With an installed Blender: blender -b -P scripts/blender/box_figure.py -- character.blend
"""

import sys
from pathlib import Path

import bpy
from mathutils import Vector

BONES = ("spine", "thigh", "shin", "foot", "toe", "shoulder", "upper_arm", "forearm", "hand")  # beginnings of names
TRUNK, LIMB = 1.1, 0.22  # the width of a box as a share of its bone's length
COLOUR = (0.9, 0.3, 0.05, 1)


def main() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    add_boxes(bpy.context.object)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(sys.argv[-1]).resolve()))


def add_boxes(rig) -> None:
    """Add a mesh of boxes that follow the bones of an armature."""
    bones = [bone for bone in rig.data.bones if bone.name.split(".")[0] in BONES]
    corners: list[Vector] = []
    faces: list[list[int]] = []
    for bone in bones:
        width = bone.length * (TRUNK if bone.name.startswith("spine") else LIMB)
        first = len(corners)
        for along in (0.05, 0.95):
            for x, z in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corners.append(bone.matrix_local @ Vector((x * width / 2, along * bone.length, z * width / 2)))
        sides = [(side, 4 + side, 4 + (side + 1) % 4, (side + 1) % 4) for side in range(4)]
        faces += [[first + corner for corner in face] for face in [(0, 1, 2, 3), (7, 6, 5, 4), *sides]]
    mesh = bpy.data.meshes.new("boxes")
    mesh.from_pydata(corners, [], faces)
    mesh.materials.append(bpy.data.materials.new("boxes"))
    if mesh.materials[0].node_tree is None:  # before Blender 5
        mesh.materials[0].use_nodes = True
    mesh.materials[0].node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = COLOUR
    boxes = bpy.data.objects.new("boxes", mesh)
    bpy.context.collection.objects.link(boxes)
    boxes.parent = rig
    for number, bone in enumerate(bones):
        boxes.vertex_groups.new(name=bone.name).add(list(range(8 * number, 8 * number + 8)), 1.0, "REPLACE")
    boxes.modifiers.new("skeleton", "ARMATURE").object = rig


if __name__ == "__main__":
    main()
