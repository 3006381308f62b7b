"""Hostile contents: valid ones with some edits, pickles put together from parts, JSON of any shape, noise."""

import io
import json
import pickletools
import re
import struct

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from atlas import trained_on
from pretrained_model_convert import architecture
from tests.reliability.fuzz import contents
from tests.reliability.fuzz.readers import Reader
from utils.checkpoints import checkpoint

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NUMBERS = (
    b"0",
    b"-1",
    b"1000000000",
    b"99999999999999999999",
    b"1e400",
    b"nan",
    b"-Infinity",
    b"9" * 5000,
    b"1_0",
    b"0.5",
)
PIECES = (
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    struct.pack("<Q", 2**40),
    struct.pack("<q", -1),
    b"\0",
    b"../../../tmp/x",
    b"/etc/passwd",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"(" * 3000,
    b"{" * 3000,
    "\u2028é".encode(),
    b"\xc3\x28",
)
# opcodes of a pickle that ask for what no data file needs, or for memory
HOSTILE_OPCODES = (
    b"cos\nsystem\n",
    b"\x8c\x05posix\x8c\x06system\x93",
    b"cbuiltins\neval\n",
    b"cnumpy\nload\n",
    b"S'touch /tmp/x'\n",
    b"\x85R",
    b"r\xff\xff\xff\x7f",
    b"\x96" + struct.pack("<Q", 2**33),
    b"\x8e" + struct.pack("<Q", 2**33),
    b"\x95" + struct.pack("<Q", 2**40),
    b"cnumpy\nndarray\n",
    b"cnumpy\ndtype\n",
    b"b",
    b"R",
    b"\x81",
    b"}",
    b"]",
    b"(",
    b"t",
    b"0",
    b"2",
    b"a",
    b"s",
    b"V../x\n",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08" + b"\xff" * 8,
    b"cscipy.sparse._csc\ncsc_matrix\n",
    b"cchumpy.ch\nCh\n",
    b"U\x02V8",
    b"U\x01O",
)


def _apply(content: bytes, edit: tuple) -> bytes:
    kind, place, length, piece = edit
    start = int(place * len(content))
    stop = min(len(content), start + 1 + int(length**4 * len(content)))  # mostly short
    if kind == "cut":
        return content[:start]
    if kind == "drop":
        return content[:start] + content[stop:]
    if kind == "repeat":
        return content[:stop] + content[start:stop] * 3 + content[stop:]
    if kind == "insert":
        return content[:start] + piece + content[start:]
    if kind == "flip":
        return (
            content[:start]
            + bytes(byte ^ (1 << int(length * 7)) for byte in content[start : start + 1])
            + content[start + 1 :]
        )
    if kind == "write":
        return content[:start] + piece[: len(content) - start] + content[start + len(piece) :]
    numbers = list(NUMBER.finditer(content[: 1 << 16]))
    if not numbers:
        return content
    number = numbers[int(place * (len(numbers) - 1))]
    return content[: number.start()] + NUMBERS[int(length * (len(NUMBERS) - 1))] + content[number.end() :]


UNIT = st.floats(0, 1)
EDIT = st.tuples(
    st.sampled_from(("cut", "drop", "repeat", "insert", "flip", "write", "number")),
    UNIT,
    UNIT,
    st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(PIECES)),
)


def edited(contents: list[bytes]) -> st.SearchStrategy[bytes]:
    def apply_all(content: bytes, edits: list) -> bytes:
        for edit in edits:
            content = _apply(content, edit)
        return content

    return st.builds(apply_all, st.sampled_from(contents), st.lists(EDIT, min_size=1, max_size=4))


def recombined_pickles() -> st.SearchStrategy[bytes]:
    """Opcodes of valid pickles in their order, with some left out, repeated, or hostile ones between them."""
    parts = []
    for content in [*contents.pickles()[:3], contents.body_model()]:
        starts = [position for _, _, position in pickletools.genops(content)]
        parts.append([content[start:stop] for start, stop in zip(starts, [*starts[1:], len(content)], strict=True)])

    def build(chosen: list, edits: list) -> bytes:
        chosen = list(chosen)
        for place, action, piece in edits:
            index = int(place * (len(chosen) - 1))
            chosen[index : index + (action != "insert")] = {"insert": [piece], "replace": [piece], "drop": []}[action]
        return b"".join(chosen)

    edit = st.tuples(UNIT, st.sampled_from(("insert", "replace", "drop")), st.sampled_from(HOSTILE_OPCODES))
    whole = st.builds(build, st.sampled_from(parts), st.lists(edit, min_size=1, max_size=6))
    short = st.lists(st.sampled_from(HOSTILE_OPCODES), max_size=12).map(lambda pieces: b"".join((*pieces, b".")))
    return st.one_of(whole, short)


def any_json(names: tuple) -> st.SearchStrategy[bytes]:
    """JSON of any shape, whose objects mostly have the keys that a reader looks for."""
    number = st.one_of(st.integers(-(10**30), 10**30), st.floats(width=64))
    leaf = st.one_of(st.none(), st.booleans(), number, st.text(max_size=8), st.lists(number, max_size=6))
    key = st.one_of(st.sampled_from(names), st.text(max_size=4))
    value = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(key, inner, max_size=4), max_leaves=8
    )
    return st.dictionaries(key, value, max_size=5).map(lambda content: json.dumps(content).encode())


def lists_of_json(names: tuple) -> st.SearchStrategy[bytes]:
    """What `any_json` gives, several in a list."""
    return st.lists(any_json(names), max_size=4).map(lambda contents: b"[" + b",".join(contents) + b"]")


def any_table() -> st.SearchStrategy[bytes]:
    """An .npz with the columns of a data set, of any type and shape, some of them right."""
    right = dict(np.load(io.BytesIO(contents.tables()[0])))
    dtype = st.one_of(
        hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.unicode_string_dtypes(max_len=4), hnp.complex_number_dtypes()
    )
    wrong = hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    columns = st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(array), wrong) for name, array in right.items()}
    )
    return columns.map(lambda table: contents.bytes_of(np.savez, **(right | table)))


def archives_of_pickles() -> st.SearchStrategy[bytes]:
    """.npy files of objects, which are pickles behind a header."""
    header = contents.npy()[2]
    header = header[: header.index(b"\n") + 1]
    return recombined_pickles().map(lambda content: header + content)


RECORD_KEYS = (trained_on.TRAINED_ON, *trained_on.PARTS, "file", "sha256")
JSON_KEYS = {
    "bbox.json": ("bbox",),
    "results.json": (
        "image_id",
        "file_name",
        "category_id",
        "bbox",
        "score",
        "iscrowd",
        "images",
        "annotations",
        "categories",
        "id",
        "name",
        "class",
        "box",
        "x1",
        "y1",
        "x2",
        "y2",
        "bboxes",
        "labels",
        "scores",
        "photo",
    ),
    "openpose.json": ("people", "pose_keypoints_2d"),
    "options.json": contents.OPTIONS,
    "config.json": contents.OPTIONS + checkpoint.ARCHITECTURE + RECORD_KEYS,
    "release/config.json": architecture.NAMES,
}


def contents_of(reader: Reader) -> st.SearchStrategy[bytes]:
    """What to try on a reader."""
    kinds = [edited(reader.contents()), st.binary(max_size=300)]
    if reader.name.endswith(".pkl"):
        kinds.append(recombined_pickles())
    if reader.name in JSON_KEYS:
        kinds.append(any_json(JSON_KEYS[reader.name]))
    if reader.name == "results.json":
        kinds.append(lists_of_json(JSON_KEYS[reader.name]))
    if reader.name == "table.npz":
        kinds.append(any_table())
    if reader.name.endswith(".npy"):
        kinds.append(archives_of_pickles())
    if reader.name in ("image.png", "photo.png"):
        kinds.append(st.builds(contents.large_png, st.integers(0, 2**31), st.integers(0, 2**31)))
    return st.one_of(kinds)
