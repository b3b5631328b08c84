"""Where CPython keeps the C functions of a type, and the Python names that reach them.

Layouts of 64-bit CPython 3.8 to 3.14 (Include/cpython/object.h, Include/methodobject.h,
Include/descrobject.h, Include/moduleobject.h, Include/typeslots.h). Offsets are in bytes and count from
the end of the object's head, which is longer in free-threaded builds.
"""

from __future__ import annotations

HEAD, FREE_THREADED_HEAD = 16, 32
"""The size of PyObject."""

IMMORTAL = 1 << 29
"""A static object counts one reference, or from CPython 3.12 on at least so many, so that it never dies."""

METHOD, GETSET, SLOT = 32, 40, 16
"""The sizes of PyMethodDef, PyGetSetDef and PyType_Slot."""

CALLS, FLAGS = 0x01 | 0x04 | 0x08 | 0x80, 0x3FF
"""Flags of a PyMethodDef: how it is called (one of these at least), and all that exist."""

MODULE_NAME, MODULE_METHODS = 24, 48
"""In PyModuleDef."""

TYPE_NAME, TYPE_SIZE, TYPE_METHODS, TYPE_GETSET = 8, 16, 216, 232
"""In PyTypeObject: tp_name, tp_basicsize, tp_methods, tp_getset."""

TYPE_END = 400

TYPE = {
    32: "__del__", 72: "__repr__", 104: "__hash__", 112: "__call__", 120: "__str__", 128: "__getattribute__", 136: "__setattr__",
    184: "__eq__", 200: "__iter__", 208: "__next__", 256: "__get__", 264: "__set__", 280: "__init__", 296: "__new__",
}  # fmt: skip
"""Offset in PyTypeObject -> Python's name. tp_richcompare stands for all comparisons as `__eq__`, tp_dealloc as `__del__`."""

_NUMBER = (
    "add sub mul mod divmod pow neg pos abs bool invert lshift rshift and xor or int - float iadd isub imul imod ipow ilshift irshift "
    "iand ixor ior floordiv truediv ifloordiv itruediv index matmul imatmul"
)
_SEQUENCE = "len concat repeat getitem - setitem - contains iconcat irepeat"
_MAPPING = "len getitem setitem"
_ASYNC = "await aiter anext"


def _offsets(names: str) -> dict[int, str]:
    return {8 * place: f"__{name}__" for place, name in enumerate(names.split()) if name != "-"}


SUITES = {64: _offsets(_ASYNC), 80: _offsets(_NUMBER), 88: _offsets(_SEQUENCE), 96: _offsets(_MAPPING), 144: {0: "__buffer__"}}
"""Offset in PyTypeObject of a pointer to further functions -> offset there -> Python's name."""

TP_METHODS, TP_GETSET = 64, 73
"""Slots of a heap type that are arrays."""

HEAP = {
    1: "__buffer__", 3: "__setitem__", 4: "__len__", 5: "__getitem__", 6: "__abs__", 7: "__add__", 8: "__and__", 9: "__bool__",
    10: "__divmod__", 11: "__float__", 12: "__floordiv__", 13: "__index__", 14: "__iadd__", 15: "__iand__", 16: "__ifloordiv__",
    17: "__ilshift__", 18: "__imul__", 19: "__ior__", 20: "__ipow__", 21: "__imod__", 22: "__irshift__", 23: "__isub__",
    24: "__itruediv__", 25: "__ixor__", 26: "__int__", 27: "__invert__", 28: "__lshift__", 29: "__mul__", 30: "__neg__", 31: "__or__",
    32: "__pos__", 33: "__pow__", 34: "__mod__", 35: "__rshift__", 36: "__sub__", 37: "__truediv__", 38: "__xor__", 39: "__setitem__",
    40: "__concat__", 41: "__contains__", 42: "__iconcat__", 43: "__irepeat__", 44: "__getitem__", 45: "__len__", 46: "__repeat__",
    50: "__call__", 52: "__del__", 54: "__get__", 55: "__set__", 57: "__getattribute__", 58: "__getattribute__", 59: "__hash__",
    60: "__init__", 62: "__iter__", 63: "__next__", 65: "__new__", 66: "__repr__", 67: "__eq__", 68: "__setattr__", 69: "__setattr__",
    70: "__str__", 75: "__matmul__", 76: "__imatmul__", 77: "__await__", 78: "__aiter__", 79: "__anext__",
}  # fmt: skip
"""Number of a PyType_Slot -> Python's name."""
