"""An ONNX graph that is built node by node: nodes, constants, and the operations that the network is made of."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the version of the file format that belongs to opset 17; newer runtimes read it too


class OnnxGraph:
    """Values are names: every method adds nodes and returns the name of the value that they compute."""

    def __init__(self):
        self.nodes, self.constants, self.name_count = [], [], 0

    def add_constant(self, values) -> str:
        """Add an array: float32 where `values` are floats, int64 otherwise."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else np.int64)
        name = self._make_name("constant")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add_node(self, operator: str, *inputs: str, **attributes) -> str:
        """Add an ONNX operator with one output."""
        name = self._make_name(operator)
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def name_output(self, value: str, name: str) -> None:
        """Give a value the name of one of the model's outputs."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name))

    def make_model(self, inputs: dict, outputs: dict) -> ModelProto:
        """Make the model. inputs, outputs: shapes by name; the outputs' names come from `name_output`."""
        input_types, output_types = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
            for shapes in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "DecoMR", input_types, output_types, initializer=self.constants)
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="DecoMR-MindSpore")

    def _make_name(self, kind: str) -> str:
        self.name_count += 1
        return f"{kind}_{self.name_count}"

    # ---- operations ----

    def add(self, first: str, second: str) -> str:
        return self.add_node("Add", first, second)

    def rectify(self, value: str) -> str:
        return self.add_node("Relu", value)

    def reshape(self, value: str, *shape: int) -> str:
        """A length of 0 keeps the input's length of that axis, -1 takes what is left."""
        return self.add_node("Reshape", value, self.add_constant(shape))

    def transpose(self, value: str, *axes: int) -> str:
        return self.add_node("Transpose", value, perm=axes)

    def apply_with_number(self, operator: str, value: str, number: float) -> str:
        """Add a binary operator whose second input is one number."""
        return self.add_node(operator, value, self.add_constant(float(number)))

    def slice(self, value: str, start: int, stop: int, axis: int) -> str:
        """Take the elements from start to before stop along one axis."""
        return self.add_node("Slice", value, *(self.add_constant([number]) for number in (start, stop, axis)))

    def concatenate(self, *values: str, axis: int) -> str:
        return self.add_node("Concat", *values, axis=axis)

    def double_size(self, value: str, mode: str) -> str:
        """Double height and width; mode 'nearest' or 'linear' (pixel centres at half-integers)."""
        scales = self.add_constant([1.0, 1.0, 2.0, 2.0])
        if mode == "nearest":
            details = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            details = {"coordinate_transformation_mode": "half_pixel"}
        return self.add_node("Resize", value, "", scales, mode=mode, **details)

    def scatter_add(self, rows: str, updates: str, row_count: int, width: int) -> str:
        """Add up the updates [N, width] that belong to the same row, by rows [N] int64 -> [row_count, width]."""
        zeros = self.add_node("ConstantOfShape", self.add_constant([row_count, width]))
        return self.add_node("ScatterND", zeros, self.reshape(rows, -1, 1), updates, reduction="add")
