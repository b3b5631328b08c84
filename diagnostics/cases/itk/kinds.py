"""Kinds of work in ITK, and the cases that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gilgen.diagnostics.cases.itk.data import prepared
from gilgen.diagnostics.cases.record import Case, Work

Data = Callable[[int], Any]
"""Makes an image of about so many samples."""


def filled(operation: Any) -> bool:
    """Whether a filter's output has samples."""
    return bool(operation.GetOutput().GetBufferedRegion().GetNumberOfPixels() > 0)


def again(operation: Any) -> Work:
    """A filter's `Update()`; it has to forget, before each call, that its output is up to date."""
    return Work(operation.Update, operation.Modified, lambda: filled(operation))


def case(
    name: str,
    call: str,
    make: Callable[[int], Work],
    size: int,
    limit: int,
    *,
    quick: bool = False,
    alone: bool = False,
) -> Case:
    """A case of ITK; `call` without the "itk." before it."""
    return Case(name, "itk", f"itk.{call}", make, size, limit, quick, alone)


def update(
    name: str,
    kind: str,
    types: str,
    data: Data,
    size: int,
    limit: int,
    *,
    quick: bool = False,
    **settings: Any,
) -> Case:
    """A filter's `Update()`."""
    return case(
        name,
        f"{kind}.Update",
        lambda amount: again(prepared(kind, types, data(amount), **settings)),
        size,
        limit,
        quick=quick,
    )
