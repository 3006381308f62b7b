"""Read a skinned .glb as the glTF 2.0 specification says, without the library that wrote it; only what a body needs.

Sections of the specification: 4.4 (the binary container), 3.6 (accessors), 3.5 (nodes), 3.7.3 (skins), 3.11
(animations).
"""

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass
class Glb:
    document: dict
    binary: bytes

    def array(self, number: int) -> np.ndarray:
        """[N, components] of an accessor."""
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        assert start % np.dtype(TYPES[accessor["componentType"]]).itemsize == 0
        shape = accessor["count"], COMPONENTS[accessor["type"]]
        flat = np.frombuffer(self.binary, TYPES[accessor["componentType"]], shape[0] * shape[1], start)
        return flat.reshape(shape)

    @property
    def primitive(self) -> dict:
        (primitive,) = self.document["meshes"][0]["primitives"]
        return primitive

    def attribute(self, name: str) -> np.ndarray:
        return self.array(self.primitive["attributes"][name])

    @property
    def faces(self) -> np.ndarray:
        return self.array(self.primitive["indices"]).reshape(-1, 3)

    @property
    def joint_names(self) -> list[str]:
        return [self.document["nodes"][node]["name"] for node in self.document["skins"][0]["joints"]]

    @property
    def texture(self) -> np.ndarray:
        """The picture of the material, [R, R, 3]."""
        material = self.document["materials"][self.primitive["material"]]
        texture = self.document["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
        view = self.document["bufferViews"][self.document["images"][texture["source"]]["bufferView"]]
        start = view.get("byteOffset", 0)
        return np.asarray(Image.open(io.BytesIO(self.binary[start : start + view["byteLength"]])).convert("RGB"))

    def frame_times(self) -> np.ndarray:
        """[T] seconds of the animation."""
        (animation,) = self.document["animations"]
        return self.array(animation["samplers"][0]["input"])[:, 0]

    def skinned(self, frame: int | None = None) -> np.ndarray:
        """Vertices [P, 3] in the pose of the nodes, or in a frame of the animation."""
        worlds = self._worlds(self._local(frame))
        skin = self.document["skins"][0]
        # matrices are stored column by column
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2).astype(np.float64)
        matrices = np.stack([worlds[node] for node in skin["joints"]]) @ bind
        joints, weights = self.attribute("JOINTS_0"), self.attribute("WEIGHTS_0").astype(np.float64)
        blended = np.einsum("vk,vkab->vab", weights, matrices[joints])
        points = np.concatenate([self.attribute("POSITION"), np.ones((len(joints), 1))], 1)
        return np.einsum("vab,vb->va", blended, points)[:, :3]

    def _local(self, frame: int | None) -> list[dict]:
        nodes = [dict(node) for node in self.document["nodes"]]
        if frame is not None:
            (animation,) = self.document["animations"]
            for channel in animation["channels"]:
                sampler, target = animation["samplers"][channel["sampler"]], channel["target"]
                assert sampler.get("interpolation", "LINEAR") == "LINEAR"
                nodes[target["node"]][target["path"]] = self.array(sampler["output"])[frame]
        return nodes

    def _worlds(self, nodes: list[dict]) -> dict[int, np.ndarray]:
        worlds: dict[int, np.ndarray] = {}

        def visit(number: int, above: np.ndarray) -> None:
            node, matrix = nodes[number], np.eye(4)
            matrix[:3, :3] = Rotation.from_quat(node.get("rotation", (0, 0, 0, 1))).as_matrix()
            matrix[:3, 3] = node.get("translation", (0, 0, 0))
            worlds[number] = above @ matrix
            for child in node.get("children", ()):
                visit(child, worlds[number])

        for root in self.document["scenes"][self.document["scene"]]["nodes"]:
            visit(root, np.eye(4))
        return worlds


def read_glb(path: Path) -> Glb:
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    chunks, start = [], 12
    while start < length:
        size, kind = struct.unpack_from("<I4s", content, start)
        assert size % 4 == 0
        chunks.append((kind, content[start + 8 : start + 8 + size]))
        start += 8 + size
    assert [kind for kind, _ in chunks] == [b"JSON", b"BIN\0"]
    return Glb(json.loads(chunks[0][1]), chunks[1][1])
