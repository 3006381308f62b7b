"""Nodes and constants of an ONNX graph, with the operations that the network is made of."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # of that opset; newer runtimes read it too


class OnnxWriter:
    """Values are names; every method adds nodes and returns the name of what they compute."""

    def __init__(self):
        self.nodes, self.constants, self.names = [], [], 0

    def constant(self, values) -> str:
        """float32 or int64, by the type of `values`."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else np.int64)
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, *inputs: str, **attributes) -> str:
        name = self._name(operator)
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def _name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}_{self.names}"

    def model(self, inputs: dict, outputs: dict):
        """The finished model; inputs and outputs: name -> shape. An output is the value of that name."""
        taken, given = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in table.items()]
            for table in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "DecoMR", taken, given, initializer=self.constants)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="DecoMR-MindSpore")

    def name_output(self, value: str, name: str) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name], name))

    # ---- operations with constants beside a value ----

    def reshape(self, value: str, *shape: int) -> str:
        return self.node("Reshape", value, self.constant(shape))

    def transpose(self, value: str, *axes: int) -> str:
        return self.node("Transpose", value, perm=axes)

    def with_number(self, operator: str, value: str, number: float) -> str:
        return self.node(operator, value, self.constant(float(number)))

    def part(self, value: str, start: int, stop: int, axis: int) -> str:
        """Elements start to stop of one axis."""
        return self.node("Slice", value, *(self.constant([number]) for number in (start, stop, axis)))

    def concat(self, *values: str, axis: int) -> str:
        return self.node("Concat", *values, axis=axis)

    def resize2(self, value: str, mode: str) -> str:
        """Twice the height and width; mode 'nearest' or 'linear' (pixel centres at half-integers)."""
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        if mode == "nearest":
            details = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            details = {"coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", value, "", scales, mode=mode, **details)

    def scatter_add(self, rows: str, updates: str, count: int, width: int) -> str:
        """[count, width]: the sums of the updates [n, width] that go to each row; rows [n] int64."""
        zeros = self.node("ConstantOfShape", self.constant([count, width]))
        return self.node("ScatterND", zeros, self.reshape(rows, -1, 1), updates, reduction="add")
