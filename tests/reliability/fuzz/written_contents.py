"""Valid contents of files that helpers of the tests, or the program itself, write: detectors and rigged bodies."""

import tempfile
from pathlib import Path

import numpy as np

from reconstruction.mesh_files import Texture
from reconstruction.rigged_glb import write_rigged
from tests.helpers.soft_body import soft_body
from tests.helpers.soft_people import front_and_back
from tests.helpers.yolo_files import write_people, write_seeing


def detectors() -> list[bytes]:
    """YOLO networks in ONNX: one that always finds the same person, and one that looks for bright pixels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yolo.onnx"
        always = write_people(path, [(8, 16, 40, 60, 0.875, 0)]).read_bytes()
        return [always, write_seeing(path, (64, 64)).read_bytes()]


def rigged_bodies() -> list[bytes]:
    """A body with a texture and an animation of two frames, as .glb."""
    model, texture = soft_body(), Texture.of(front_and_back(), np.zeros((8, 8, 3), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.glb"
        write_rigged(path, model, np.zeros(10), np.zeros((2, 24, 3)), np.zeros((2, 3)), 25.0, texture)
        return [path.read_bytes()]
