"""Kinds of work in VTK, and the cases that are made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from gilgen.diagnostics.cases.record import Case, Work, written
from gilgen.diagnostics.cases.vtk.data import configured, library, prepared

Data = Callable[[int], Any]
"""Makes a data object of about so many elements."""

File = Callable[[int, str], str]
"""Writes a file of about so many elements, whose name begins with the given one; tells its name."""

_NUMBERS = itertools.count()
"""Two pieces of work in one folder write two files."""


def filled(algorithm: Any) -> bool:
    """Whether a filter's first output has several points, cells, rows, vertices or the like."""
    data = algorithm.GetOutputDataObject(0)
    return data is not None and any(
        data.GetNumberOfElements(kind) > 1
        for kind in range(library().vtkDataObject.NUMBER_OF_ATTRIBUTE_TYPES)
    )


def again(algorithm: Any, call: Callable[[], object]) -> Work:
    """Work of a filter that has to forget, before each call, that its output is up to date."""
    return Work(call, algorithm.Modified, lambda: filled(algorithm))


def update(
    name: str, kind: str, data: Data, size: int, limit: int, *, quick: bool = False, **settings: Any
) -> Case:
    """A filter's `Update()`."""

    def make(amount: int) -> Work:
        algorithm = prepared(kind, data(amount), **settings)
        return again(algorithm, algorithm.Update)

    return Case(name, "vtk", f"{kind}.Update", make, size, limit, quick)


def write(
    name: str,
    kind: str,
    data: Data,
    ending: str,
    size: int,
    limit: int,
    *,
    naming: str = "SetFileName",
    quick: bool = False,
    alone: bool = False,
    **settings: Any,
) -> Case:
    """A writer's `Write()`, to a file in the current folder, which is the case's own."""

    def make(amount: int) -> Work:
        writer = prepared(kind, data(amount), **settings)
        stem = f"{id(writer):x}"
        getattr(writer, naming)(f"{stem}.{ending}")
        return Work(writer.Write, writer.Modified, lambda: written(stem))

    return Case(name, "vtk", f"{kind}.Write", make, size, limit, quick, alone)


def read(
    name: str,
    kind: str,
    write_file: File,
    size: int,
    limit: int,
    *,
    naming: str = "SetFileName",
    alone: bool = False,
    **settings: Any,
) -> Case:
    """A reader's `Update()`, of a file that was written just before; `naming` tells the reader its name.

    Each call has a reader of its own: some keep what they read.
    """

    def make(amount: int) -> Work:
        file = write_file(amount, f"file-{next(_NUMBERS)}")
        readers: list[Any] = []

        def begin() -> None:
            reader = configured(kind, settings)
            getattr(reader, naming)(file)
            readers[:] = [reader]

        return Work(lambda: readers[0].Update(), begin, lambda: filled(readers[0]))  # noqa: PLW0108

    return Case(name, "vtk", f"{kind}.Update", make, size, limit, alone=alone)


def by(kind: str, data: Data, ending: str, naming: str = "SetFileName", **settings: Any) -> File:
    """Writes a reader's file with one of VTK's own writers; tells the file's name."""

    def write_file(amount: int, stem: str) -> str:
        writer = prepared(kind, data(amount), **settings)
        getattr(writer, naming)(f"{stem}.{ending}")
        writer.Write()
        return f"{stem}.{ending}"

    return write_file


def locate(
    name: str, kind: str, data: Data, size: int, limit: int, *, quick: bool = False, **settings: Any
) -> Case:
    """A locator's `BuildLocator()`."""

    def make(amount: int) -> Work:
        locator = getattr(library(), kind)()
        for setting, value in settings.items():
            getattr(locator, setting)(value)
        locator.SetDataSet(data(amount))

        def forget() -> None:
            locator.FreeSearchStructure()
            locator.Modified()

        return Work(locator.BuildLocator, forget)

    return Case(name, "vtk", f"{kind}.BuildLocator", make, size, limit, quick)


def copy(name: str, kind: str, data: Data, size: int, limit: int, *, quick: bool = False) -> Case:
    """An object's `DeepCopy` into another that is emptied between calls."""

    def make(amount: int) -> Work:
        original = data(amount)
        made = original.NewInstance()
        size_of = original.GetActualMemorySize
        return Work(
            lambda: made.DeepCopy(original),
            made.Initialize,
            lambda: bool(made.GetActualMemorySize() >= size_of() // 2),
        )

    return Case(name, "vtk", f"{kind}.DeepCopy", make, size, limit, quick)
