"""Write meshes: metres, y up, with the atlas as texture coordinates.

The .obj has texture coordinates and no material; the textured .glb has the colours. Neither .obj nor .ply says which
axis points up. MeshLab shows y upwards for all three formats, so people stand. Blender turns .obj and .glb upright, but
reads a .ply with z up, so that people lie on their backs; its import option "Forward Axis -Z, Up Axis Y" helps.

Texture coordinates in files count v from the lower edge of the picture, while row 0 of a location map is v = 0.
Therefore texture pictures are written upside down.
"""

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from utils.camera import upright
from utils.files import write_bytes, write_png
from utils.objfile import ObjMesh, write_obj


def write_meshes(stem: Path, vertices: np.ndarray, atlas: ObjMesh) -> list[Path]:
    """Write {stem}.obj, .ply and .glb of a mesh [V, 3] in camera space whose topology is that of `atlas`.

    The .obj keeps the order of vertices and has the texture coordinates of the atlas.
    """
    points = upright(vertices)
    files = [Path(f"{stem}{suffix}") for suffix in (".obj", ".ply", ".glb")]
    write_obj(files[0], ObjMesh(points, atlas.faces, atlas.texcoords, atlas.face_texcoords))
    mesh = trimesh.Trimesh(points, atlas.faces, process=False)
    write_bytes(files[1], _encode(mesh, "ply"))
    write_bytes(files[2], _encode(mesh, "glb", include_normals=True))
    return files


def write_textured(stem: Path, vertices: np.ndarray, atlas: ObjMesh, texture: np.ndarray) -> list[Path]:
    """Write {stem}_texture.png and {stem}_textured.glb; texture [R, R, 3] uint8 RGB, row r is v = r / (R - 1)."""
    picture = Image.fromarray(texture[::-1])
    # a vertex on a seam has a place in the atlas on each side of it, so it is written twice
    texcoords, face_texcoords = atlas.textured()
    corners = np.stack([atlas.faces, face_texcoords], axis=-1).reshape(-1, 2)
    pairs, corner_pair = np.unique(corners, axis=0, return_inverse=True)
    # 0 is the middle of the first texel in the atlas, and its edge in a file
    uv = (texcoords[pairs[:, 1]] * (len(texture) - 1) + 0.5) / len(texture)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, metallicFactor=0.0, roughnessFactor=1.0)
    mesh = trimesh.Trimesh(
        upright(vertices)[pairs[:, 0]],
        corner_pair.reshape(-1, 3),
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        process=False,
    )
    png, glb = Path(f"{stem}_texture.png"), Path(f"{stem}_textured.glb")
    write_png(png, texture[::-1, :, ::-1])
    write_bytes(glb, _encode(mesh, "glb", include_normals=True))
    return [png, glb]


def _encode(mesh: trimesh.Trimesh, file_type: str, **options) -> bytes:
    content = mesh.export(file_type=file_type, **options)
    assert isinstance(content, bytes), f"{file_type} is a binary format"
    return content
