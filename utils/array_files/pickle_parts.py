"""Stand-ins for the few classes and functions that a pickle of arrays may ask for.

Each stand-in checks the state that the file gives it before numpy or scipy see it. The unpickling of numpy and scipy
trusts the file: a hostile dtype can make bytes count as pointers, and a sparse matrix can write beyond its array.
"""

import math
import pickle
import re
from collections.abc import Callable
from typing import Literal

import numpy as np
import scipy.sparse

from utils.errors import UserError

# codes of numbers, truth values, text and objects as numpy pickles them; records are left out, they may hide pointers
PLAIN_DTYPE = re.compile(r"[?bBhHiIlLqQefdFDO]|[biufcO]\d{1,2}|[SU]\d{1,6}")
MAX_DIMENSIONS = 32
ByteOrder = Literal["<", ">", "=", "|"]


class Dtype:
    """Stands for numpy.dtype: a code, and the byte order that its state holds."""

    def __init__(self, code, *_):
        if not isinstance(code, str) or not PLAIN_DTYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"an array of type {str(code)[:40]!r}, expected numbers or text")
        self.code = code
        self.order: ByteOrder = "="

    def __setstate__(self, state):
        _, order, *structure = state
        if order not in ("<", ">", "=", "|") or structure[:3] != [None, None, None]:
            raise pickle.UnpicklingError(f"an array of type {self.code} with fields")
        self.order = order

    def real(self) -> np.dtype:
        """The numpy dtype."""
        dtype = np.dtype(self.code)
        return dtype if self.order in "=|" else dtype.newbyteorder(self.order)


def _real(dtype) -> np.dtype:
    if not isinstance(dtype, Dtype):
        raise pickle.UnpicklingError(f"{type(dtype).__name__} in place of a type of numbers")
    return dtype.real()


def _raw(data, size: int) -> bytes:
    """The content of an array of `size` bytes; Python 2 wrote it as text."""
    content = data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data))
    if len(content) != size:
        raise pickle.UnpicklingError(f"{len(content)} bytes for an array of {size}")
    return content


def _count(shape) -> int:
    """The number of elements of an array of `shape`."""
    is_shape = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    if not is_shape or len(shape) > MAX_DIMENSIONS:
        raise pickle.UnpicklingError(f"an array of shape {str(shape)[:40]}")
    return math.prod(shape)


class Array(np.ndarray):
    """Stands for numpy.ndarray: empty until its state is set."""

    def __new__(cls, *_):
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state):
        shape, dtype, is_fortran, data = state[-4:]  # the state may begin with a version
        dtype, count = _real(dtype), _count(shape)
        if not dtype.hasobject:
            data = _raw(data, count * dtype.itemsize)
        elif not isinstance(data, list) or len(data) != count:
            raise pickle.UnpicklingError("an array of objects without a list of them")
        super().__setstate__((1, shape, dtype, bool(is_fortran), data))


def reconstruct(*_) -> Array:
    """Stands for numpy's _reconstruct."""
    return Array()


def scalar(dtype, data):
    """Stands for numpy's scalar."""
    dtype = _real(dtype)
    return data if dtype.hasobject else np.frombuffer(_raw(data, dtype.itemsize), dtype)[0]


def frombuffer(data, dtype, shape, order) -> np.ndarray:
    """Stands for numpy's _frombuffer, of protocol 5."""
    dtype = _real(dtype)
    if dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError("a buffer of objects")
    return np.frombuffer(_raw(data, _count(shape) * dtype.itemsize), dtype).reshape(shape, order=order)


class StandIn:
    """An object that is replaced by its `value`, which is computed once."""

    def __init__(self, *_):
        self.state = {}

    def __setstate__(self, state):
        self.state = state

    def compute(self):
        """Compute the value; every class defines how."""
        raise NotImplementedError

    def value(self):
        """What replaces this object."""
        if "result" not in self.__dict__:
            self.__dict__["result"] = self.compute()
        return self.__dict__["result"]


class Sparse(StandIn):
    """Stands for a sparse matrix of scipy; its indices are checked."""

    kind: Callable  # the class of scipy

    def compute(self):
        """The scipy matrix."""
        state = {name: resolve(value) for name, value in self.state.items()}
        shape = state.get("_shape", state.get("shape"))
        _count(shape)
        if self.kind is scipy.sparse.coo_matrix:
            places = state["coords"] if "coords" in state else (state["row"], state["col"])
            return self.kind((state["data"], tuple(map(resolve, places))), shape=shape)
        matrix = self.kind(tuple(state[name] for name in ("data", "indices", "indptr")), shape=shape)
        matrix.check_format(full_check=True)
        return matrix


class Csc(Sparse):
    kind = scipy.sparse.csc_matrix


class Csr(Sparse):
    kind = scipy.sparse.csr_matrix


class Coo(Sparse):
    kind = scipy.sparse.coo_matrix


class ChumpyFormula(StandIn):
    """Stands for any other chumpy class: a computation whose result is not in the file.

    It may appear where nobody reads it. Only an attempt to use it as an array is an error.
    """

    name = "chumpy"  # of the class that it replaces

    def compute(self) -> "ChumpyFormula":
        """This object itself: there is no other value."""
        return self

    def __array__(self, *_, **__):
        raise UserError(f"an array is given as {self.name}, a chumpy computation. Save its value (.r) instead.")


def _numbers(value) -> np.ndarray | ChumpyFormula:
    """The float64 array [...] of a chumpy term, or the ChumpyFormula that the term depends on."""
    value = resolve(value)
    return value if isinstance(value, ChumpyFormula) else np.atleast_1d(np.asarray(value, np.float64))


class Chumpy(StandIn):
    """Stands for chumpy.ch.Ch: an array under the state key `x`."""

    def compute(self) -> np.ndarray | ChumpyFormula:
        """The array under `x`."""
        return _numbers(self.state["x"])


class ChumpySelect(StandIn):
    """Stands for chumpy.reordering.Select: elements `idxs` of the array `a`."""

    def compute(self) -> np.ndarray | ChumpyFormula:
        """The chosen elements in their shape."""
        array = _numbers(self.state["a"])
        if isinstance(array, ChumpyFormula):
            return array
        elements = array.ravel()[np.asarray(self.state["idxs"])]
        shape = self.state.get("preferred_shape")
        return elements if shape is None else elements.reshape(shape)


def resolve(value, known: dict | None = None):
    """Replace stand-ins by their values, inside dicts too. known: dicts that are replaced already, by their id."""
    known = {} if known is None else known
    if isinstance(value, StandIn):
        return value.value()
    if isinstance(value, Array):
        return value.view(np.ndarray)
    if isinstance(value, dict):
        if id(value) not in known:  # a dict may occur several times, and inside itself
            known[id(value)] = {}
            known[id(value)].update((key, resolve(item, known)) for key, item in value.items())
        return known[id(value)]
    return value


def decode_bytes(text, encoding="latin1"):
    """Stands for codecs.encode: in protocol 2, Python 3 writes bytes as a call of it on text."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


def empty_bytes():
    """Stands for bytes: in protocol 2, Python 3 writes empty bytes as a call of it without arguments."""
    return b""


def plain_set(items=()) -> set:
    """Stands for set, of text and numbers alone: chumpy's arrays hold one with the names of what changed."""
    if not isinstance(items, list | tuple) or not all(isinstance(item, str | int | float) for item in items):
        raise pickle.UnpicklingError("a set of other things than text and numbers")
    return set(items)


def new_object(cls, base=object, state=None):
    """Stands for copyreg._reconstructor; it makes stand-ins only."""
    return cls.__new__(cls)


STATEFUL = (Dtype, Array, StandIn)
ADMITTED = {
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): decode_bytes,
    ("__builtin__", "bytes"): empty_bytes,
    ("builtins", "bytes"): empty_bytes,
    ("copy_reg", "_reconstructor"): new_object,
    ("copyreg", "_reconstructor"): new_object,
    ("__builtin__", "set"): plain_set,
    ("builtins", "set"): plain_set,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("chumpy.ch", "Ch"): Chumpy,
    ("chumpy.reordering", "Select"): ChumpySelect,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ADMITTED[_module, "_reconstruct"] = reconstruct
    ADMITTED[_module, "scalar"] = scalar
for _module in ("numpy.core.numeric", "numpy._core.numeric"):
    ADMITTED[_module, "_frombuffer"] = frombuffer  # arrays in protocol 5
for _name, _kind in (("csc", Csc), ("csr", Csr), ("coo", Coo)):
    for _module in (f"scipy.sparse.{_name}", f"scipy.sparse._{_name}"):
        ADMITTED[_module, f"{_name}_matrix"] = ADMITTED[_module, f"{_name}_array"] = _kind
