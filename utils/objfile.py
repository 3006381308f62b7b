"""Read and write Wavefront .obj meshes: positions, triangles and, if present, texture coordinates.

Only the geometry of the format is read (`v`, `vt`, `f`); normals, groups and materials are ignored, also
a material library that does not exist. Polygons are cut into fans of triangles. A line that
cannot be read is reported with its file and number.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import require_file, write_text

LARGEST_INDEX = 2**31  # of any vertex or texcoord that a file may name


@dataclass
class ObjMesh:
    """A triangle mesh as an .obj file holds it.

    vertices: [V, 3] float64, metres. faces: [F, 3] int64 into vertices.
    texcoords: [T, 2] float64 or None. face_texcoords: [F, 3] int64 into texcoords or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    texcoords: np.ndarray | None = None
    face_texcoords: np.ndarray | None = None

    def textured(self) -> tuple[np.ndarray, np.ndarray]:
        """(texcoords [T, 2], face_texcoords [F, 3]); UserError for a mesh without them."""
        if self.texcoords is None or self.face_texcoords is None:
            raise UserError("The mesh has no texture coordinates: expected faces like `f v/vt v/vt v/vt`.")
        return self.texcoords, self.face_texcoords

    def face_uv(self) -> np.ndarray:
        """[F, 3, 2]: the texcoords of the corners of every face; UserError for a mesh without them."""
        texcoords, face_texcoords = self.textured()
        return texcoords[face_texcoords]


def read_obj(path) -> ObjMesh:
    """Read the triangle mesh in the .obj file `path`; faces may be v, v/vt, v/vt/vn or v//vn, any polygon."""
    path = require_file(path, "Expected a Wavefront .obj mesh.")
    vertices, texcoords, corners, corner_lines = [], [], [], []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("#", 1)[0].split()
        if not fields or fields[0] not in ("v", "vt", "f"):
            continue
        try:
            if fields[0] == "v":
                vertices.append((float(fields[1]), float(fields[2]), float(fields[3])))
            elif fields[0] == "vt":
                texcoords.append((float(fields[1]), float(fields[2])))
            else:
                polygon = [_corner(field, len(vertices), len(texcoords)) for field in fields[1:]]
                triangles = [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
                if not triangles:
                    raise ValueError("a face needs three corners")
                corners += triangles
                corner_lines += [number] * len(triangles)
        except (ValueError, IndexError) as error:
            raise UserError(f"{path}, line {number}: cannot read {line.strip()!r} ({error}).") from error
    if not vertices or not corners:
        raise UserError(f"{path} holds {len(vertices)} vertices and {len(corners)} faces, expected a mesh.")
    return _assemble(path, vertices, texcoords, corners, corner_lines)


def _corner(field: str, vertex_count: int, texcoord_count: int) -> tuple[int, int]:
    """The zero-based (vertex, texcoord) of one face corner; texcoord -1 where it has none."""
    vertex, _, rest = field.partition("/")
    texcoord = rest.partition("/")[0]
    return _index(vertex, vertex_count), _index(texcoord, texcoord_count) if texcoord else -1


def _index(word: str, count: int) -> int:
    """Zero-based index of an .obj reference: 1 is the first, -1 the latest element so far."""
    index = int(word)
    if index == 0 or not -count <= index <= LARGEST_INDEX:
        raise ValueError(f"index {index} does not exist")
    return index - 1 if index > 0 else count + index


def _assemble(path: Path, vertices: list, texcoords: list, corners: list, corner_lines: list) -> ObjMesh:
    """Turn the parsed lists into arrays and check that every reference exists."""
    corner_array = np.array(corners, dtype=np.int64)
    faces, face_texcoords = corner_array[..., 0].copy(), corner_array[..., 1].copy()
    for kind, table, count in (("vertex", faces, len(vertices)), ("texcoord", face_texcoords, len(texcoords))):
        wrong = np.flatnonzero((table >= count).any(axis=1))
        if wrong.size:
            raise UserError(
                f"{path}, line {corner_lines[wrong[0]]}: a face names {kind} {table[wrong[0]].max() + 1}, "
                f"but the file has {count}."
            )
    positions = np.array(vertices, dtype=np.float64)
    if not np.isfinite(positions).all():
        raise UserError(f"{path}: vertex {int(np.argwhere(~np.isfinite(positions))[0, 0]) + 1} is not finite.")
    if (face_texcoords < 0).all():
        return ObjMesh(positions, faces)
    bare = np.flatnonzero((face_texcoords < 0).any(axis=1))
    if bare.size:
        raise UserError(f"{path}, line {corner_lines[bare[0]]}: a face without vt in a mesh that has them elsewhere.")
    return ObjMesh(positions, faces, np.array(texcoords, dtype=np.float64), face_texcoords)


def write_obj(path, mesh: ObjMesh, material_file: str | None = None) -> None:
    """Write `mesh` to the .obj file `path` (atomically): v, vt and f v or f v/vt, metres with 8 decimals.

    material_file: a .mtl file beside it, whose material `body` all faces have.
    """
    lines = [f"mtllib {material_file}", "usemtl body"] if material_file else []
    lines += ["v {:.8f} {:.8f} {:.8f}".format(*row) for row in mesh.vertices.tolist()]
    faces = (mesh.faces + 1).tolist()
    if mesh.texcoords is None:
        lines += ["f {} {} {}".format(*row) for row in faces]
    else:
        texcoords, face_texcoords = mesh.textured()
        lines += ["vt {:.9f} {:.9f}".format(*row) for row in texcoords.tolist()]
        pairs = np.stack([mesh.faces, face_texcoords], axis=-1).reshape(-1, 6) + 1
        lines += ["f {}/{} {}/{} {}/{}".format(*row) for row in pairs.tolist()]
    write_text(path, "\n".join(lines) + "\n")
