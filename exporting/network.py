"""The cell that is exported, and the formats it is written in."""

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from models.inference import MeshPredictor

INPUT = "image"
OUTPUTS = ("vertices", "camera", "iuv")


class ExportedNetwork(nn.Cell):
    """Normalised image [B, 3, S, S] -> vertices [B, V, 3] in metres, camera [B, 3], iuv [B, 3, h, w]."""

    def __init__(self, predictor: MeshPredictor):
        super().__init__()
        self.predictor = predictor
        self.set_train(False)

    def construct(self, image: Tensor):
        iuv, vertices, camera = self.predictor(image)
        return vertices, camera, iuv


def write_mindir(network: ExportedNetwork, shape: tuple, path: Path) -> None:
    """Write the network for images of `shape` [B, 3, S, S] as a MINDIR file."""
    ms.export(network, Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")


def open_mindir(path: Path) -> Callable:
    """Image array -> output arrays, computed by the file."""
    graph = nn.GraphCell(ms.load(str(path)))
    return lambda image: tuple(output.asnumpy() for output in graph(Tensor(image)))


def write_onnx(network: ExportedNetwork, shape: tuple, path: Path) -> None:
    """Write the network for images of `shape` [B, 3, S, S] as an ONNX file."""
    import onnx  # a requirement of exporting to ONNX only

    from exporting.onnx_network import build

    onnx.save(build(network, shape), str(path))


def open_onnx(path: Path) -> Callable:
    """Image array -> output arrays, computed by ONNX Runtime from the file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: tuple(session.run(OUTPUTS, {INPUT: image}))


# file format -> ending, writer, opener
FORMATS = {"MINDIR": (".mindir", write_mindir, open_mindir), "ONNX": (".onnx", write_onnx, open_onnx)}
