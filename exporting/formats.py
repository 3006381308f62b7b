"""The file formats of an exported network: FORMATS has the ending, the writer and the opener of each."""

from collections.abc import Callable
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from exporting.network import INPUT, OUTPUTS, ExportedNetwork


def write_mindir(network: ExportedNetwork, shape: tuple, path: Path) -> None:
    """Write the network for images of `shape` [B, 3, S, S] as a MINDIR file."""
    ms.export(network, Tensor(np.zeros(shape, np.float32)), file_name=str(path), file_format="MINDIR")


def open_mindir(path: Path) -> Callable:
    """Open a MINDIR file as a function: image array -> output arrays."""
    graph = nn.GraphCell(ms.load(str(path)))
    return lambda image: tuple(output.asnumpy() for output in graph(Tensor(image)))


def write_onnx(network: ExportedNetwork, shape: tuple, path: Path) -> None:
    """Write the network for images of `shape` [B, 3, S, S] as an ONNX file."""
    # Only this format needs the package onnx.
    import onnx

    from exporting.onnx_network import build_model

    onnx.save(build_model(network, shape), str(path))


def open_onnx(path: Path) -> Callable:
    """Open an ONNX file in ONNX Runtime as a function: image array -> output arrays."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: tuple(session.run(OUTPUTS, {INPUT: image}))


# file format -> ending, writer, opener
FORMATS = {"MINDIR": (".mindir", write_mindir, open_mindir), "ONNX": (".onnx", write_onnx, open_onnx)}
