"""Write meshes: metres, y up, with the atlas as texture coordinates.

{stem}.obj, .ply and .glb are the bare mesh. {stem}_textured.obj (with its .mtl) and .glb have the colours of
{stem}_texture.png. Neither .obj nor .ply says which axis points up. MeshLab shows y upwards for all three formats, so
people stand. Blender turns .obj and .glb upright, but reads a .ply with z up, so that people lie on their backs; its
import option "Forward Axis -Z, Up Axis Y" helps.

Texture coordinates in files count v from the lower edge of the picture, while row 0 of a location map is v = 0.
Therefore texture pictures are written upside down.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from utils.camera import upright
from utils.files import write_bytes, write_png, write_text
from utils.objfile import ObjMesh, write_obj

# of the .mtl: all light that falls on the surface is scattered, none is mirrored
MATERIAL = "newmtl body\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture}\n"


@dataclass(frozen=True)
class Texture:
    """A picture of the surface, and where each corner of the mesh lies on it.

    A vertex on a seam of the atlas has a place on each side of it. Formats with one place a vertex need it P times,
    once for each of its places.
    """

    picture: np.ndarray  # [R, R, 3] uint8 RGB, as files have it: v is counted from the lower edge
    owners: np.ndarray  # [P]: the vertex of each place
    places: np.ndarray  # [P, 2]: u, v of the picture, 0 and 1 are its edges
    faces: np.ndarray  # [F, 3]: the places of the corners

    @classmethod
    def of(cls, atlas: ObjMesh, colours: np.ndarray) -> "Texture":
        """The texture of colours [R, R, 3] uint8 RGB, whose row r is v = r / (R - 1) of the atlas."""
        texcoords, face_texcoords = atlas.textured()
        corners = np.stack([atlas.faces, face_texcoords], axis=-1).reshape(-1, 2)
        pairs, corner_pair = np.unique(corners, axis=0, return_inverse=True)
        # 0 is the middle of the first texel in the atlas, and its edge in a file
        places = (texcoords[pairs[:, 1]] * (len(colours) - 1) + 0.5) / len(colours)
        return cls(colours[::-1], pairs[:, 0], places, corner_pair.reshape(-1, 3))


def write_meshes(stem: Path, vertices: np.ndarray, atlas: ObjMesh) -> list[Path]:
    """Write {stem}.obj, .ply and .glb of a mesh [V, 3] in camera space whose topology is that of `atlas`.

    The .obj keeps the order of vertices and has the texture coordinates of the atlas. The .ply is binary and
    little-endian, float32 positions and int32 triangles, vertices in the same order, without colours and texture
    coordinates.
    """
    points = upright(vertices)
    files = [Path(f"{stem}{suffix}") for suffix in (".obj", ".ply", ".glb")]
    write_obj(files[0], ObjMesh(points, atlas.faces, atlas.texcoords, atlas.face_texcoords))
    mesh = trimesh.Trimesh(points, atlas.faces, process=False)
    write_bytes(files[1], _encode(mesh, "ply"))
    write_bytes(files[2], _encode(mesh, "glb", include_normals=True))
    return files


def write_textured(stem: Path, vertices: np.ndarray, atlas: ObjMesh, texture: Texture) -> list[Path]:
    """Write {stem}_texture.png, and a mesh [V, 3] in camera space with it: {stem}_textured.glb, .obj and .mtl.

    The .obj names the .mtl, and this the picture; they must stay in one folder. The .glb holds the picture. The .obj
    keeps the order of vertices.
    """
    points = upright(vertices)
    png, glb, obj, mtl = (
        Path(f"{stem}_{end}") for end in ("texture.png", "textured.glb", "textured.obj", "textured.mtl")
    )
    write_png(png, texture.picture[..., ::-1])
    write_text(mtl, MATERIAL.format(picture=png.name))
    write_obj(obj, ObjMesh(points, atlas.faces, texture.places, texture.faces), mtl.name)
    picture = Image.fromarray(texture.picture)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, metallicFactor=0.0, roughnessFactor=1.0)
    mesh = trimesh.Trimesh(
        points[texture.owners],
        texture.faces,
        visual=trimesh.visual.TextureVisuals(uv=texture.places, material=material),
        process=False,
    )
    write_bytes(glb, _encode(mesh, "glb", include_normals=True))
    return [png, glb, obj, mtl]


def _encode(mesh: trimesh.Trimesh, file_type: str, **options) -> bytes:
    content = mesh.export(file_type=file_type, **options)
    assert isinstance(content, bytes), f"{file_type} is a binary format"
    return content
