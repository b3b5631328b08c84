"""Arguments for a VTK method, from what the wheel's documentation says of its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import vtkmodules.all as vtk
from gilgen.diagnostics.survey import vtk_data
from gilgen.diagnostics.survey.signatures import Parameter, Signature

TYPES = {cls.lower(): cls for cls in dir(vtk) if cls.startswith("vtk")}

WHOLE = re.compile(r"^(unsigned |signed )?(int|long|short|char|long long|unsigned|vtkIdType|vtkTypeBool|vtkMTimeType|vtkTypeU?Int\d+|size_t|std::size_t|u?int\d+_t)( int)?$")
REAL = re.compile(r"^(float|double|ValueType|vtkTypeFloat\d+)$")
TEXT = re.compile(r"^(std::string|vtkStdString|std::string_view)$")
SMALL = re.compile(r"port|piece|index|idx|id$|comp|ghost|start|begin|source|dest|src|remote|tag|timestep|offset|level|thread|block|slice", re.IGNORECASE)

BOUNDS, RANGE, MATRICES = 6, 2, {9: 3, 16: 4}
"""How many numbers bounds have, and a range; and matrices, with their sides."""

INTO_OBJECT = ("vtkDataArray", "vtkPoints", "vtkDataObject", "vtkIdList")


class CannotMakeError(Exception):
    """No argument of this type can be made; the message names the type."""


def arguments(signature: Signature, suggestions: dict[str, Any], *, other: int = 0) -> Iterator[list[Any]]:
    """Lists of arguments to be tried.

    Args:
        signature: what is known of the parameters.
        suggestions: values by a parameter's type or name, where the recipe knows better.
        other: which of several values to take; 0 are the most ordinary.
    """
    yield [value(parameter, suggestions, other) for parameter in signature.parameters]


def value(parameter: Parameter, suggestions: dict[str, Any], other: int) -> Any:  # noqa: PLR0911 - one for each kind of type
    """A value for one parameter; what is suggested for its name or type comes first."""
    for key in (parameter.name, f"{parameter.kind} {parameter.mark}".strip()):
        if key in suggestions:
            suggested = suggestions[key]
            return suggested() if callable(suggested) and not isinstance(suggested, type) else suggested
    kind, mark, name = parameter.kind, parameter.mark, parameter.name
    if kind.startswith("vtkSmartPointer<"):
        kind, mark = kind[16:-1], "*"
    if TEXT.match(kind) or (kind == "char" and mark == "*" and parameter.const):
        return _text(name)
    if kind == "void" and mark:
        return bytearray(1024)
    if WHOLE.match(kind) or REAL.match(kind) or kind == "bool":
        return _number(parameter, other)
    if kind.startswith("std::vector<"):
        inner = kind[12:-1].removesuffix(">")
        return [] if "vtk" in inner and not WHOLE.match(inner) else ([0, 1, 2] if WHOLE.match(inner) else [0.5, 1.5, 2.5] if REAL.match(inner) else ["a", "b"])
    if kind.startswith("vtk") and hasattr(vtk, kind):
        return instance(kind)
    if re.match(r"^[A-Z]\w+$", kind) and not mark:
        return other  # most likely an enumeration of the class
    raise CannotMakeError(f"{parameter.kind} {parameter.mark}".strip())


def _text(name: str) -> str:
    low = name.lower()
    if "dir" in low:
        return "folder"
    if "file" in low or "name" in low or "path" in low or low in {"f", "fname"}:
        return "file.vtk"
    return "scalars"


def _number(parameter: Parameter, other: int) -> Any:
    real = bool(REAL.match(parameter.kind))
    if "&" in parameter.mark:
        return _reference(parameter, real=real)
    return _several(parameter, real=real) if parameter.mark else _one(parameter, other, real=real)


def _reference(parameter: Parameter, *, real: bool) -> Any:
    if parameter.const:
        return 0.5 if real else 1
    return vtk.reference(0.5 if real else 0)


def _several(parameter: Parameter, *, real: bool) -> Any:
    count = parameter.size or 128  # as many as any of the data here could ask for
    if parameter.kind == "char":
        return "text" if parameter.const else bytearray(64)
    if parameter.kind == "bool":
        return [False] * count
    if real:
        return _reals(parameter.name, count)
    return [0, 2, 0, 2, 0, 2] if count == BOUNDS else [index % 4 for index in range(count)]


def _one(parameter: Parameter, other: int, *, real: bool) -> Any:
    name = parameter.name.lower()
    if parameter.kind in {"bool", "char"}:
        return "a" if parameter.kind == "char" else bool(other % 2)
    if real:
        return 0.75 if other == 0 else 2.5
    if "type" in name and "cell" not in name:
        return vtk.VTK_DOUBLE
    return min(other, 1) if SMALL.search(name) else (3 if other == 0 else 1)


def _reals(name: str, count: int) -> list[float]:
    low = name.lower()
    if count == BOUNDS or "bounds" in low:
        return [-1.0, 1.5, -1.0, 1.5, -1.0, 1.5][:count]
    if low.endswith("2") or low == "b":
        return [1.5, 1.25, 1.0, *vtk_data.values(count)][:count]
    if count == RANGE:
        return [0.25, 1.75]
    if count in MATRICES:
        side = MATRICES[count]
        return [1.0 if index % (side + 1) == 0 else 0.0 for index in range(count)]
    return [-0.25, 0.125, 0.5, *vtk_data.values(count)][:count]


def concrete(kind: str) -> str:
    """A class that can be made, of this kind: itself, or the first below it."""
    if kind in vtk_data.MAKERS:
        return kind
    base = getattr(vtk, kind)
    names = [kind, *sorted(name for name in dir(vtk) if name.startswith("vtk") and name != kind and _below(name, base))]
    for name in names:
        try:
            getattr(vtk, name)()
        except (TypeError, NotImplementedError):
            continue
        return name
    raise CannotMakeError(kind)


def _below(name: str, base: type) -> bool:
    cls = getattr(vtk, name)
    return isinstance(cls, type) and issubclass(cls, base)


def instance(kind: str) -> Any:
    """An object of this kind with something in it, where that is known."""
    name = concrete(kind)
    made = vtk_data.populated(name)
    return getattr(vtk, name)() if made is None else made
