"""Read what an ONNX file states about itself: its inputs and its metadata. The package onnx is not needed.

ONNX files are messages of Protocol Buffers: fields, each with a number, a wire type and a value. The numbers are those
of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from collections.abc import Iterator
from dataclasses import dataclass

GRAPH, METADATA = 7, 14  # of ModelProto
NODE, INITIALISER, INPUT = 1, 5, 11  # of GraphProto
NODE_INPUT, NODE_OUTPUT, NODE_NAME, OPERATOR, DOMAIN = 1, 2, 3, 4, 7  # of NodeProto
NAME, TYPE = 1, 2  # of ValueInfoProto
INITIALISER_NAME = 8  # of TensorProto
TENSOR_TYPE = 1  # of TypeProto
ELEMENT, SHAPE = 1, 2  # of TypeProto.Tensor
DIMENSION = 1  # of TensorShapeProto
SIZE = 1  # of Dimension; a dimension without it is dynamic
KEY, VALUE = 1, 2  # of StringStringEntryProto

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


class OutOfOrder(ValueError):
    """An operator takes what only an operator behind it gives. The format forbids it; OpenCV 4.11 cannot read it."""


@dataclass(frozen=True)
class Input:
    """An input of the network. element: its number in TensorProto.DataType; shape: a dynamic size is None."""

    element: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Header:
    """inputs: those that the user feeds, without weights; metadata: keys and values, as the exporter wrote them."""

    inputs: list[Input]
    metadata: dict[str, str]


def read_header(content: bytes) -> Header:
    """Read the header from the content of an ONNX file.

    ValueError if the content is damaged, if an operator takes what nothing before it gives (OutOfOrder, if one behind
    it does), or if a name is not UTF-8: the last two make OpenCV 4.11 crash.
    """
    graph, metadata = memoryview(b""), {}
    for number, value in _fields(memoryview(content)):
        if number == GRAPH:
            graph = _as_message(value)
        elif number == METADATA:
            entry = dict(_fields(_as_message(value)))
            metadata[_text(entry.get(KEY))] = _text(entry.get(VALUE))
    inputs, weights, nodes = {}, set(), []
    for number, value in _fields(graph):
        if number == INPUT:
            entry = dict(_fields(_as_message(value)))
            inputs[_text(entry.get(NAME))] = _read_type(entry.get(TYPE, memoryview(b"")))
        elif number == INITIALISER:  # before version 4 of the format weights are among the inputs
            weights |= {_text(name) for field, name in _fields(_as_message(value)) if field == INITIALISER_NAME}
        elif number == NODE:
            nodes.append(list(_fields(_as_message(value))))
    _check_order(nodes, {"", *inputs, *weights})
    return Header([found for name, found in inputs.items() if name not in weights], metadata)


def _check_order(nodes: list, known: set[str]) -> None:
    """Check that every operator takes what is `known` or what an operator before it gives, and that names are text."""
    missing: set[str] = set()
    for fields in nodes:
        texts: dict[int, set[str]] = {
            number: set() for number in (NODE_INPUT, NODE_OUTPUT, NODE_NAME, OPERATOR, DOMAIN)
        }
        for number, value in fields:
            if number in texts:
                texts[number].add(_text(value))
        missing |= texts[NODE_INPUT] - known
        known |= texts[NODE_OUTPUT]
    if missing - known:
        raise ValueError(f"an operator takes {min(missing - known)}, which nothing gives")
    if missing:
        raise OutOfOrder(f"an operator takes {min(missing)}, which one behind it gives")


def _read_type(value) -> Input:
    tensor = dict(_fields(_as_message(dict(_fields(_as_message(value))).get(TENSOR_TYPE, memoryview(b"")))))
    element, shape = tensor.get(ELEMENT, 0), []
    for number, dimension in _fields(_as_message(tensor.get(SHAPE, memoryview(b"")))):
        if number == DIMENSION:
            size = dict(_fields(_as_message(dimension))).get(SIZE)
            shape.append(size if isinstance(size, int) and 0 < size < 2**63 else None)  # -1 and 0: dynamic
    return Input(element if isinstance(element, int) else 0, tuple(shape))


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (number, value) of the fields of a message; messages inside and texts stay bytes."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == BYTES:
            size, position = _varint(message, position)
        elif wire_type in FIXED_SIZES:
            size = FIXED_SIZES[wire_type]
        else:
            raise ValueError(f"wire type {wire_type}")
        if position + size > len(message):
            raise ValueError("a field ends behind its message")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read an integer of 7 bits a byte; returns it and the position behind it."""
    value = 0
    for index, byte in enumerate(message[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError("an integer does not end")


def _as_message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a message is a number")
    return value


def _text(value: int | memoryview | None) -> str:
    return bytes(value).decode() if isinstance(value, memoryview) else ""
