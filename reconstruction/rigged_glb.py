"""Write rigged bodies as .glb (glTF 2.0): a skinned mesh with 24 named joints, in a pose or with an animation.

The mesh is the body at rest (y up, metres, facing +z) with the person's betas. Each joint is a node with the name that
utils.joints.SMPL_JOINTS gives it. A vertex follows MAX_WEIGHTS joints, which is what viewers and game engines take. The
weights of the others go to these in proportion, and SMPL's pose blend shapes are left out, because glTF has no shapes
that depend on a pose. `python -m benchmarks.rigging` measures what both cost.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pygltflib as gltf
from scipy.spatial.transform import Rotation

from reconstruction.mesh_files import Texture
from reconstruction.skeleton import Skeleton, move_skeleton
from utils.body_model import BodyModel, shape_vertices
from utils.files import write_bytes
from utils.joints import NUM_JOINTS, ROOT, SMPL_JOINTS
from utils.renderer import vertex_normals

MAX_WEIGHTS = 4
# Weights are multiples of this: they are exact in float32, and so is their sum, 1.
WEIGHT_STEP = 2.0**-20
GREY = [0.75, 0.75, 0.75, 1.0]  # of a body without texture
COMPONENT_TYPES = {"float32": gltf.FLOAT, "uint8": gltf.UNSIGNED_BYTE, "uint32": gltf.UNSIGNED_INT}
BODY_NODE, FIRST_JOINT_NODE = 0, 1


def write_rigged(
    path,
    model: BodyModel,
    betas: np.ndarray,
    pose: np.ndarray,
    translation: np.ndarray,
    frame_rate: float | None = None,
    texture: Texture | None = None,
) -> None:
    """Write a person as a rigged .glb: in a pose if there is one frame, else with one animation.

    betas [10]; pose [T, 24, 3], axis-angle, and translation [T, 3], metres, as fitting.body_fit.Fit has them, in camera
    space; frame_rate in Hz, needed for T > 1. Without a texture the body is grey.
    """
    skeleton = move_skeleton(model, betas, pose, translation)
    rotations = smooth_quaternions(skeleton.rotations)
    buffer = _Buffer()
    scene = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="DecoMR-MindSpore"),
        scene=0,
        scenes=[gltf.Scene(nodes=[BODY_NODE, FIRST_JOINT_NODE + ROOT])],
        nodes=[gltf.Node(name="body", mesh=0, skin=0), *_joint_nodes(model, skeleton, rotations[0])],
        meshes=[gltf.Mesh(name="body", primitives=[_add_mesh(buffer, model, betas, texture)])],
        materials=[_make_material(texture)],
        skins=[_add_skin(buffer, skeleton)],
    )
    if texture is not None:
        _add_picture(scene, buffer, texture)
    if len(rotations) > 1:
        if frame_rate is None:
            raise ValueError("an animation needs a frame rate")
        scene.animations = [_add_animation(buffer, rotations, skeleton.root_places, frame_rate)]
    scene.accessors, scene.bufferViews = buffer.accessors, buffer.views
    scene.buffers = [gltf.Buffer(byteLength=len(buffer.content))]
    scene.set_binary_blob(bytes(buffer.content))
    write_bytes(path, b"".join(scene.save_to_bytes()))


def strongest_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skinning weights [V, 24] -> the joints [V, 4] uint8 with the largest ones, and these [V, 4] float32 with sum 1.

    Where a weight is 0 the joint is 0 as well, as glTF demands.
    """
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :MAX_WEIGHTS]
    chosen = np.take_along_axis(weights, joints, 1)
    rounded = np.rint(chosen / chosen.sum(1, keepdims=True) / WEIGHT_STEP) * WEIGHT_STEP
    rounded[:, 0] = 1 - rounded[:, 1:].sum(1)
    return np.where(rounded > 0, joints, 0).astype(np.uint8), rounded.astype(np.float32)


def smooth_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Rotations [T, 24, 3, 3] -> quaternions [T, 24, 4] (x, y, z, w), each in the half space of the frame before."""
    quaternions = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat().reshape(*rotations.shape[:2], 4)
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1, 1)
    quaternions[1:] *= np.cumprod(flips, axis=0)[..., None]
    return quaternions


@dataclass
class _Buffer:
    """The binary part of the file, and what describes it."""

    content: bytearray = field(default_factory=bytearray)
    views: list = field(default_factory=list)
    accessors: list = field(default_factory=list)

    def add_bytes(self, content: bytes, target: int | None = None) -> int:
        """Append bytes, aligned to four, and return the number of their view."""
        self.content += bytes(-len(self.content) % 4)
        view = gltf.BufferView(buffer=0, byteOffset=len(self.content), byteLength=len(content), target=target)
        self.views.append(view)
        self.content += content
        return len(self.views) - 1

    def add(self, array: np.ndarray, kind: str, target: int | None = None, has_range: bool = False) -> int:
        """Append an array [N, ...] and return the number of its accessor; kind as in glTF, such as VEC3."""
        low, high = (limit.ravel().tolist() for limit in (array.min(0), array.max(0))) if has_range else (None, None)
        view = self.add_bytes(array.tobytes(), target)
        accessor = gltf.Accessor(bufferView=view, byteOffset=0, count=len(array), type=kind, min=low, max=high)
        accessor.componentType = COMPONENT_TYPES[array.dtype.name]
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _joint_nodes(model: BodyModel, skeleton: Skeleton, quaternions: np.ndarray) -> list:
    parents = model.parents
    places = skeleton.rest - np.where(parents[:, None] >= 0, skeleton.rest[parents], 0)
    places[ROOT] = skeleton.root_places[0]
    return [
        gltf.Node(
            name=name,
            translation=places[joint].tolist(),
            rotation=quaternions[joint].tolist(),
            children=(FIRST_JOINT_NODE + np.flatnonzero(parents == joint)).tolist(),
        )
        for joint, name in enumerate(SMPL_JOINTS)
    ]


def _add_mesh(buffer: _Buffer, model: BodyModel, betas: np.ndarray, texture: Texture | None):
    vertices = shape_vertices(model, betas)
    normals = vertex_normals(vertices, model.faces)
    joints, weights = strongest_weights(model.weights)
    owners, faces = np.arange(len(vertices)), model.faces
    if texture is not None:
        owners, faces = texture.owners, texture.faces
    attributes = gltf.Attributes(
        POSITION=buffer.add(vertices[owners].astype(np.float32), gltf.VEC3, gltf.ARRAY_BUFFER, has_range=True),
        NORMAL=buffer.add(normals[owners], gltf.VEC3, gltf.ARRAY_BUFFER),
        JOINTS_0=buffer.add(joints[owners], gltf.VEC4, gltf.ARRAY_BUFFER),
        WEIGHTS_0=buffer.add(weights[owners], gltf.VEC4, gltf.ARRAY_BUFFER),
    )
    if texture is not None:
        places = (texture.places * (1, -1) + (0, 1)).astype(np.float32)  # glTF counts v from the upper edge
        attributes.TEXCOORD_0 = buffer.add(places, gltf.VEC2, gltf.ARRAY_BUFFER)
    corners = buffer.add(faces.astype(np.uint32).ravel(), gltf.SCALAR, gltf.ELEMENT_ARRAY_BUFFER)
    return gltf.Primitive(attributes=attributes, indices=corners, material=0)


def _make_material(texture: Texture | None):
    colour = {"baseColorFactor": GREY} if texture is None else {"baseColorTexture": gltf.TextureInfo(index=0)}
    surface = gltf.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=1.0, **colour)
    return gltf.Material(name="body", pbrMetallicRoughness=surface, alphaMode=gltf.OPAQUE, alphaCutoff=None)


def _add_picture(scene: gltf.GLTF2, buffer: _Buffer, texture: Texture) -> None:
    encoded, content = cv2.imencode(".png", texture.picture[..., ::-1])
    assert encoded, "a texture is a picture of three channels"
    view = buffer.add_bytes(content.tobytes())
    scene.images = [gltf.Image(name="texture", bufferView=view, mimeType="image/png")]
    edges = {"wrapS": gltf.CLAMP_TO_EDGE, "wrapT": gltf.CLAMP_TO_EDGE}
    scene.samplers = [gltf.Sampler(magFilter=gltf.LINEAR, minFilter=gltf.LINEAR, **edges)]
    scene.textures = [gltf.Texture(sampler=0, source=0)]


def _add_skin(buffer: _Buffer, skeleton: Skeleton):
    """At rest all joints have the axes of the scene, so the inverse of a joint's matrix is a shift."""
    matrices = np.tile(np.eye(4, dtype=np.float32), (NUM_JOINTS, 1, 1))
    matrices[:, 3, :3] = -skeleton.rest  # glTF stores columns
    bind = buffer.add(matrices.reshape(-1, 16), gltf.MAT4)
    nodes = list(range(FIRST_JOINT_NODE, FIRST_JOINT_NODE + NUM_JOINTS))
    return gltf.Skin(name="skeleton", inverseBindMatrices=bind, skeleton=FIRST_JOINT_NODE + ROOT, joints=nodes)


def _add_animation(buffer: _Buffer, quaternions: np.ndarray, places: np.ndarray, frame_rate: float):
    times = buffer.add((np.arange(len(places)) / frame_rate).astype(np.float32), gltf.SCALAR, has_range=True)
    outputs = [
        (FIRST_JOINT_NODE + joint, "rotation", buffer.add(quaternions[:, joint].astype(np.float32), gltf.VEC4))
        for joint in range(NUM_JOINTS)
    ]
    moves = buffer.add(places.astype(np.float32), gltf.VEC3)
    outputs.append((FIRST_JOINT_NODE + ROOT, "translation", moves))
    return gltf.Animation(
        name="motion",
        samplers=[gltf.AnimationSampler(input=times, output=output) for _, _, output in outputs],
        channels=[
            gltf.AnimationChannel(sampler=index, target=gltf.AnimationChannelTarget(node=node, path=path))
            for index, (node, path, _) in enumerate(outputs)
        ],
    )
