"""Small ONNX files with the inputs and outputs of YOLO networks, whose people are known."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COCO_NAMES = {0: "person", 1: "bicycle", **{number: f"class {number}" for number in range(2, 80)}}
BRIGHT = 0.7  # above the grey border


def make_output(people, layout: str, size, classes: int = 80, more: int = 0) -> np.ndarray:
    """The output for people (x1, y1, x2, y2, score, class) in px of the input of size (w, h).

    layout: "v8" [1, 4 + C, N], "v5" [1, N, 5 + C] or "final" [1, N, 6]; `more` numbers follow in each candidate.
    """
    if layout == "final":
        rows = np.array(people, np.float32).reshape(-1, 6)
        return np.concatenate([rows, np.full((len(rows), more), 7, np.float32)], axis=1)[None]
    # far in the corner lies a candidate that is nothing
    people = [*people, (size[0] - 8, size[1] - 8, size[0], size[1], 0, 0)]
    columns = 4 + (layout == "v5") + classes
    rows = np.zeros((len(people), columns + more), np.float32)
    rows[:, columns:] = 7
    for row, (x1, y1, x2, y2, score, number) in zip(rows, people, strict=True):
        row[:4] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        if layout == "v5":  # objectness x class
            row[4], row[5 + number] = 0.8, score / 0.8
        else:
            row[4 + number] = score
    return rows[None] if layout == "v5" else rows.T[None]


class YoloFile:
    """A graph that is put together node by node, and written with `write`."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, values, dtype=np.float32) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes) -> str:
        output = output or f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant_output(self, output: np.ndarray, name: str = "output0") -> str:
        """An output that is the same for every picture."""
        mean = self.node("ReduceMean", "images", axes=[1, 2, 3], keepdims=1)
        nothing = self.node("Mul", mean, self.constant(np.zeros((1, 1, 1, 1))))
        shaped = self.node("Reshape", nothing, self.constant([1] * output.ndim, np.int64))
        return self.node("Add", self.constant(output), shaped, output=name)

    def seeing_output(self, size, score: float = 0.9) -> str:
        """An output [1, 84, 2] in which the first candidate is the box around the bright pixels of the picture."""
        brightest = self.node("ReduceMax", "images", axes=[1], keepdims=1)
        above = self.node("Sub", brightest, self.constant(np.full((1, 1, 1, 1), BRIGHT)))
        mask = self.node("Clip", self.node("Mul", above, self.constant(np.full((1, 1, 1, 1), 1e4))),
                         self.constant(0.0), self.constant(1.0))  # fmt: skip
        middles, sides = [], []
        for axis, length in ((3, size[0]), (2, size[1])):
            line = self.node("ReduceMax", mask, axes=[5 - axis], keepdims=1)
            ramp = np.arange(1, length + 1).reshape([1, 1, 1, -1] if axis == 3 else [1, 1, -1, 1])
            end = self.node("ReduceMax", self.node("Mul", line, self.constant(ramp)), axes=[axis], keepdims=1)
            back = self.node("ReduceMax", self.node("Mul", line, self.constant(length + 1 - ramp)),
                             axes=[axis], keepdims=1)  # fmt: skip
            start = self.node("Sub", self.constant(np.full((1, 1, 1, 1), length)), back)
            both = self.node("Add", start, end)
            middles.append(self.node("Mul", both, self.constant(np.full((1, 1, 1, 1), 0.5))))
            sides.append(self.node("Sub", end, start))
        box = self.node("Concat", *middles, *sides, axis=1)
        scores = self.constant([[[score]] + 79 * [[0.0]]])
        seen = self.node("Concat", self.node("Reshape", box, self.constant([1, 4, 1], np.int64)), scores, axis=1)
        return self.node("Concat", seen, self.constant(make_output([], "v8", size)), axis=2, output="output0")

    def write(self, path: Path, size, outputs: dict[str, tuple], *, batch=1, channels=3, metadata=None,
              element=TensorProto.FLOAT) -> Path:  # fmt: skip
        """Write the graph, which takes pictures of size (w, h); sizes may be words: dynamic."""
        picture = helper.make_tensor_value_info("images", element, [batch, channels, size[1], size[0]])
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "yolo", [picture], infos, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)
        helper.set_model_props(model, {key: str(value) for key, value in (metadata or {}).items()})
        onnx.save(model, str(path))
        return path


def write_constant(path: Path, output: np.ndarray, size=(64, 64), input_size=None, **settings) -> Path:
    """Write a network with one output that is the same for every picture."""
    file = YoloFile()
    file.constant_output(output)
    return file.write(path, input_size or size, {"output0": output.shape}, **settings)


def write_people(path: Path, people, layout: str = "v8", size=(64, 64), **settings) -> Path:
    """Write a network of 80 classes that finds the same people in every picture; see `make_output`."""
    return write_constant(path, make_output(people, layout, size), size, **settings)


def write_seeing(path: Path, size, score: float = 0.9) -> Path:
    """Write a network that finds one person, where the picture is bright."""
    file = YoloFile()
    file.seeing_output(size, score)
    return file.write(path, size, {"output0": (1, 84, 2)})
